"""What every exported artefact is, whatever its runtime: its inputs and outputs by name, and the card inside it.

images         [B, N, C, H, W]  uint8 or uint16, at the size and depth of the captures it was exported with; values in
                                 the common form (`afrd.imaging.pixels`)
anomaly_map    [B, S, S]        float32, at the model's size
score          [B]              float32
light_weights  [B, L, N]        float32, as of `afrd.model.multi_light.Prediction`
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from pydantic import ValidationError

from afrd.card import ModelCard, Strict
from afrd.errors import RunError, complaint

ARTEFACT_FORMAT = 1
CARD_KEY = "afrd"
INPUT, OUTPUTS = "images", ("anomaly_map", "score", "light_weights")

Target = Literal["onnx", "openvino", "torch"]
Precision = Literal["fp32", "fp16", "int8"]
SUFFIXES: dict[Target, str] = {"onnx": ".onnx", "openvino": ".xml", "torch": ".pt2"}


class Answer(NamedTuple):
    """anomaly_map: [B, S, S] float32 at the model's size; score: [B]; light_weights: [B, L, N]."""

    anomaly_map: np.ndarray
    score: np.ndarray
    light_weights: np.ndarray


ON_GPU = 16  # tiles together; a processor's cache holds one


class Input(Strict):
    """What one light's image must be: pixels, 1 channel (grey) or 3, and uint8 or uint16."""

    channels: Literal[1, 3] = 3
    height: int
    width: int
    dtype: Literal["uint8", "uint16"]


class ArtefactCard(Strict):
    """What travels inside an artefact, as JSON.

    afrd_version: that exported it. input: of the graph. model: the card of the run it was made from.
    weights_digest: SHA-256 of the `.bin` beside an OpenVINO `.xml`, so that files of two exports are not mixed up.
    """

    format: Literal[1] = ARTEFACT_FORMAT
    afrd_version: str
    runtime: Target
    precision: Precision
    input: Input
    weights_digest: str | None = None
    model: ModelCard


class Runtime(Protocol):
    """name: torch, onnx or openvino. input: what images must be; None where any size and depth will do.

    can_leave_out: whether `run` takes lights to leave out. at_once: how many tiles it should be given together.
    """

    name: str
    can_leave_out: bool
    at_once: int
    card: ModelCard
    input: Input | None

    def run(self, images: np.ndarray, left_out: Sequence[int] = ()) -> Answer:
        """images: [B, N, C, H, W], checked by the caller. left_out: lights that are not looked at."""
        ...


def parse_card(text: str | None, path: Path) -> ArtefactCard:
    """The card found in the artefact `path`. Raises RunError: none, of another format, not as the schema says."""
    if not text:
        raise RunError(f"{path}: carries no afrd card; pass a file that afrd export wrote")
    try:
        data: Any = json.loads(text)
    except json.JSONDecodeError as error:
        raise RunError(f"{path}: its afrd card is damaged ({error}); export it again") from error
    found = data.get("format") if isinstance(data, dict) else None
    if found != ARTEFACT_FORMAT:
        newer = isinstance(found, int) and found > ARTEFACT_FORMAT
        fix = "update afrd, or export it again with this one" if newer else "export it again with this afrd"
        raise RunError(f"{path}: artefact format {found!r}, this afrd reads {ARTEFACT_FORMAT}; {fix}")
    try:
        return ArtefactCard.model_validate(data)
    except ValidationError as error:
        raise RunError(f"{path}: its afrd card: {complaint(error)}; export it again") from error


def damaged(path: Path, error: Exception) -> RunError:
    """What a runtime says of a file it cannot read. OpenVINO says it in its last line, after where in its own code."""
    reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
    return RunError(f"{path}: damaged, or not a model ({reason[:200]}); copy it again, or export it again")

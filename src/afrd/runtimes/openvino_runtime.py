"""An OpenVINO artefact, `.xml` with its `.bin` beside it, computed by OpenVINO. No torch."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import openvino

from afrd.errors import ModelError, RunError
from afrd.runtimes.artefact import CARD_KEY, INPUT, OUTPUTS, Answer, ArtefactCard, damaged, parse_card


class OpenVinoRuntime:
    """compiled: a graph with the artefact's inputs and outputs."""

    name = "openvino"
    can_leave_out = False  # the graph is fixed
    at_once = 1  # also on its GPUs and NPUs, on none of which more were tried

    def __init__(self, compiled: openvino.CompiledModel, card: ArtefactCard) -> None:
        self.compiled, self.card, self.input = compiled, card.model, card.input

    def run(self, images: np.ndarray, left_out: Sequence[int] = ()) -> Answer:
        # a request of its own for each call, so that threads can share the model
        request = self.compiled.create_infer_request()
        request.infer({INPUT: images})
        return Answer(*(request.get_tensor(name).data.copy() for name in OUTPUTS))


def open_runtime(path: Path, device: str) -> OpenVinoRuntime:
    """See `afrd.runtimes.open_runtime`. device: cpu, gpu, gpu.1, npu: what OpenVINO finds."""
    core = openvino.Core()
    name = device.upper()
    if name not in core.available_devices:
        usable = ", ".join(core.available_devices).lower()
        raise ModelError(f"device {device!r}: not usable by OpenVINO here; use one of {usable}")
    weights = path.with_suffix(".bin")
    if not weights.is_file():
        raise RunError(f"{path}: {weights.name} is not beside it; copy both files")
    card = parse_card(_card(path), path)
    if digest(weights) != card.weights_digest:  # OpenVINO itself would compute with whatever is there
        raise RunError(f"{weights}: damaged, or of another export than {path.name}; copy both files again")
    try:
        model = core.read_model(path)
    except RuntimeError as error:
        raise damaged(path, error) from error
    if name.startswith("NPU"):
        fix_shapes(model, card)
    settings = {"PERFORMANCE_HINT": "LATENCY"}
    if name.startswith(("CPU", "GPU")):
        settings["INFERENCE_PRECISION_HINT"] = "f32"  # else some take half precision, whose scores are others
    try:
        compiled = core.compile_model(model, name, settings)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise ModelError(
            f"device {device!r}: OpenVINO cannot compile {path.name} for it ({reason}); use cpu"
        ) from error
    return OpenVinoRuntime(compiled, card)


def fix_shapes(model: openvino.Model, card: ArtefactCard) -> None:
    """In place: one part at a time, with the lights and the size of the card. The compiler of NPUs wants it so."""
    lights, image = len(card.model.lights.names), card.input
    model.reshape({INPUT: [1, lights, image.channels, image.height, image.width]})


def _card(path: Path) -> str | None:
    """From the text of the `.xml`, before OpenVINO reads both files."""
    try:
        found = ElementTree.parse(path).find(f"./rt_info/{CARD_KEY}")
    except ElementTree.ParseError as error:
        raise damaged(path, error) from error
    return None if found is None else found.get("value")


def digest(weights: Path) -> str:
    """SHA-256, hex."""
    with weights.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""An `.onnx` artefact, computed by ONNX Runtime. No torch."""

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    NotImplemented,
    RuntimeException,
)

from afrd.errors import ModelError
from afrd.runtimes.artefact import CARD_KEY, INPUT, ON_GPU, OUTPUTS, Answer, damaged, parse_card

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
_UNREADABLE = (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NotImplemented, RuntimeException)


class OnnxRuntime:
    """session: of a graph with the artefact's inputs and outputs."""

    name = "onnx"
    can_leave_out = False  # the graph is fixed

    def __init__(self, session: onnxruntime.InferenceSession, path: Path) -> None:
        card = parse_card(session.get_modelmeta().custom_metadata_map.get(CARD_KEY), path)
        self.session, self.card, self.input = session, card.model, card.input
        self.at_once = ON_GPU if _PROVIDERS["cuda"] in session.get_providers() else 1

    def run(self, images: np.ndarray, left_out: Sequence[int] = ()) -> Answer:
        return Answer(*self.session.run(OUTPUTS, {INPUT: images}))


def open_runtime(path: Path, device: str) -> OnnxRuntime:
    """See `afrd.runtimes.open_runtime`. device: cpu, cuda, cuda:1."""
    kind, _, index = device.partition(":")
    there = onnxruntime.get_available_providers()
    usable = [name for name, provider in _PROVIDERS.items() if provider in there]
    if kind not in usable or not (index.isdecimal() or not index):
        gpu = "; for NVIDIA: pip uninstall onnxruntime, pip install onnxruntime-gpu" if kind == "cuda" else ""
        raise ModelError(f"device {device!r}: not usable by ONNX Runtime here; use one of {', '.join(usable)}{gpu}")
    if kind == "cuda" and hasattr(onnxruntime, "preload_dlls"):  # CUDA of pip's wheels is found by this alone
        with redirect_stdout(sys.stderr):
            onnxruntime.preload_dlls()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # its remarks on graph optimisation would go to stderr
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # as `afrd.console.rest_threads`
    settings = {"use_tf32": 0} if kind == "cuda" else {}  # its scores are others: see `afrd.model.precision`
    provider = (_PROVIDERS[kind], settings | ({"device_id": int(index)} if index else {}))
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=[provider], enable_fallback=0)
    except _UNREADABLE as error:
        raise damaged(path, error) from error
    if _PROVIDERS[kind] not in session.get_providers():  # it would compute elsewhere without a word
        raise ModelError(f"device {device!r}: ONNX Runtime cannot start it; check driver and CUDA, or use cpu")
    return OnnxRuntime(session, path)

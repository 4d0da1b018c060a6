"""An exported graph as the files of its target, with the card inside."""

import copy
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from afrd.capture import Capture
from afrd.errors import MissingExtraError, ModelError
from afrd.model import MultiLightModel
from afrd.runtimes import ArtefactCard, Target
from afrd.runtimes.artefact import CARD_KEY

_NEEDED: dict[Target, tuple[str, ...]] = {
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "openvino": ("onnx", "onnxscript", "openvino"),
    "torch": ("onnx",),
}


def require_packages(target: Target, precision: str) -> None:
    """To be called before long work. Raises MissingExtraError, ModelError: a precision that the target has not."""
    from importlib.util import find_spec

    if target == "torch" and precision != "fp32":
        raise ModelError(f"precision {precision}: a torch program is exported as fp32; use --to openvino or onnx")
    for package in (*_NEEDED[target], *(("nncf",) if precision == "int8" else ())):
        if find_spec(package) is None:
            raise MissingExtraError(package, "export")


def write(model: MultiLightModel, card: ArtefactCard, captures: Sequence[Capture], path: Path) -> list[Path]:
    """Into a folder of its own. Returns the files, the one that is loaded last."""
    writers: dict[Target, Callable[..., list[Path]]] = {
        "onnx": _write_onnx,
        "openvino": _write_openvino,
        "torch": _write_torch,
    }
    return writers[card.runtime](model, card, captures, path)


def _write_torch(model: MultiLightModel, card: ArtefactCard, captures: Sequence[Capture], path: Path) -> list[Path]:
    import torch

    from afrd.export.graph import trace
    from afrd.model.folding import fold_batch_norms
    from afrd.runtimes.torch_runtime import CARD_FILE

    folded = fold_batch_norms(copy.deepcopy(model))  # the other runtimes fold when they load
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch about its own calls
        torch.export.save(trace(folded, card.input), path, extra_files={CARD_FILE: card.model_dump_json()})
    return [path]


def _write_onnx(model: MultiLightModel, card: ArtefactCard, captures: Sequence[Capture], path: Path) -> list[Path]:
    import onnx

    from afrd.export.graph import require_promised, trace, write_onnx
    from afrd.export.precision import halve_weights, quantise

    graph, exact = write_onnx(trace(model, card.input), path, model.quantised)
    if card.precision == "int8":
        graph = quantise(graph, captures, exact)
    if card.precision == "fp16":
        graph = halve_weights(graph)
    onnx.helper.set_model_props(graph, {CARD_KEY: card.model_dump_json()})
    require_promised(graph)
    onnx.checker.check_model(graph, full_check=True)
    onnx.save(graph, path)
    return [path]


def _write_openvino(model: MultiLightModel, card: ArtefactCard, captures: Sequence[Capture], path: Path) -> list[Path]:
    import openvino

    from afrd.export.graph import trace, write_onnx
    from afrd.export.precision import quantise
    from afrd.runtimes.openvino_runtime import digest

    source, weights = path.with_suffix(".onnx"), path.with_suffix(".bin")
    _, exact = write_onnx(trace(model, card.input), source, model.quantised)
    graph = openvino.Core().read_model(source)
    if card.precision == "int8":
        names = {node.get_friendly_name() for node in graph.get_ops()}
        graph = quantise(graph, captures, [name for name in exact if name in names])
    halve = card.precision == "fp16"
    openvino.save_model(graph, path, compress_to_fp16=halve)
    card = card.model_copy(update={"weights_digest": digest(weights)})  # only now there is something to digest
    graph.set_rt_info(card.model_dump_json(), CARD_KEY)
    openvino.save_model(graph, path, compress_to_fp16=halve)
    source.unlink()
    return [weights, path]

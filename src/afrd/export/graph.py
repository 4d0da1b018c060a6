"""From a trained model to one graph that takes images as a camera gives them, as ONNX and as an exported program.

The graph is made for captures of one size and depth: resizing, for which the runtimes have no operator or one that
rounds otherwise, is two products with constant matrices, in linear light. The batch stays dynamic.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from afrd.errors import ModelError
from afrd.model import MultiLightModel
from afrd.model.resizing import matrices, resize
from afrd.runtimes import Input
from afrd.runtimes.artefact import INPUT, OUTPUTS

OPSET, IR_VERSION = 18, 10  # of every file: ONNX Runtime 1.18 (May 2024) and later read them
_MAXIMUM = {"uint8": 255, "uint16": 65535}


class Deployed(nn.Module):
    """The whole way from pixels to a score. images: [B, N, C, H, W] as `input` says; see `afrd.runtimes.artefact`."""

    def __init__(self, model: MultiLightModel, input: Input) -> None:
        super().__init__()
        self.model, self.maximum = model, _MAXIMUM[input.dtype]
        size = model.image_size
        self.resizes = (input.height, input.width) != (size, size)
        if self.resizes:
            rows, columns = matrices((input.height, input.width), size)
            self.register_buffer("rows", rows, persistent=False)
            self.register_buffer("columns", columns, persistent=False)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        used = self.model.lights_used
        if len(used) < self.model.lights:
            images = torch.cat([images[:, k : k + 1] for k in used], 1)
        x = images.to(torch.float32) / self.maximum
        if self.resizes:
            x = resize(x, self.rows, self.columns)
        return tuple(self.model.judge(self.model.see(x)))  # a program on disk knows no class of ours


def trace(model: MultiLightModel, input: Input) -> ExportedProgram:
    """The graph, of a model on the CPU. A batch of two is traced, as one of one would be taken for a constant."""
    shape = (2, model.lights, input.channels, input.height, input.width)
    images = torch.zeros(shape, dtype=getattr(torch, input.dtype))
    with torch.no_grad():
        return torch.export.export(
            Deployed(model, input).eval(), (images,), dynamic_shapes=({0: Dim("batch", min=1)},), strict=False
        )


def write_onnx(program: ExportedProgram, path: Path, quantised: Sequence[str]) -> tuple[onnx.ModelProto, list[str]]:
    """To a file. Returns it, and the names of the nodes that int8 leaves as they are: outside of `quantised` modules.

    Those are what is cheap and decides the answer: preparing, fusion, map, smoothing, score.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter to its own developers
        torch.onnx.export(
            program,
            f=path,
            dynamo=True,
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )
    model = onnx.load(path)
    exact = [node.name for node in model.graph.node if not any(part in _scopes(node) for part in quantised)]
    _tidy(model.graph)
    model.ir_version = IR_VERSION
    onnx.save(model, path)
    return model, exact


def require_promised(model: onnx.ModelProto) -> None:
    """Raises ModelError: an opset or IR version that stations were not promised, as a later step may have set it."""
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    if opsets != {"": OPSET} or model.ir_version != IR_VERSION:
        raise ModelError(
            f"the graph has opsets {opsets} and IR version {model.ir_version} instead of {OPSET} and {IR_VERSION}; "
            f"install the versions of onnx and nncf in constraints.txt"
        )


def _scopes(node: onnx.NodeProto) -> str:
    """The modules that a node was traced in, as the exporter wrote them."""
    return next((p.value for p in node.metadata_props if p.key == "pkg.torch.onnx.name_scopes"), "")


def _tidy(graph: onnx.GraphProto) -> None:
    """The batch gets its name; stack traces, which name files of this machine, and inferred shapes go."""
    del graph.value_info[:], graph.metadata_props[:]
    for node in graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*graph.input, *graph.output):
        del value.metadata_props[:]
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    for tensor in graph.initializer:
        del tensor.metadata_props[:]

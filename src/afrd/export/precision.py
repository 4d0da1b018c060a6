"""Smaller numbers: half-precision weights, and int8 by post-training quantisation (NNCF)."""

import logging
import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from afrd.capture import Capture
from afrd.errors import DatasetError, ModelError
from afrd.runtimes.artefact import INPUT

LEAST_CALIBRATION, MOST_CALIBRATION = 10, 64  # captures
_SMALL = 1024  # elements, below which halving saves nothing


def require_calibration(captures: Sequence[Capture]) -> None:
    """Raises DatasetError: too few captures, or one that is not known to be good."""
    if len(captures) < LEAST_CALIBRATION:
        raise DatasetError(
            f"{len(captures)} captures to calibrate int8 with; at least {LEAST_CALIBRATION} good ones are needed: "
            f"pass the training captures, or export with precision fp32"
        )
    labels = getattr(captures, "labels", None) or [capture.anomalous for capture in captures]
    for i, label in enumerate(labels):
        if label is not False:
            what = "anomalous" if label else "without a label"
            raise DatasetError(
                f"capture {captures[i].id}: {what}, so int8 cannot be calibrated with it; pass good captures only, "
                f"such as the train split"
            )


def calibration(captures: Sequence[Capture]) -> list[int]:
    """Indices of the captures to calibrate with, spread evenly over all."""
    return spread(len(captures), MOST_CALIBRATION)


def spread(n: int, most: int) -> list[int]:
    """At most `most` of the indices 0 … n - 1, evenly."""
    return sorted({int(i) for i in np.linspace(0, n - 1, min(n, most)).round()})


def quantise(model: Any, captures: Sequence[Capture], exact: Sequence[str]) -> Any:
    """int8 convolutions, per channel. model: an onnx.ModelProto or an openvino.Model; returns the same kind.

    captures: good ones. exact: names of nodes that stay as they are.
    """
    os.environ.setdefault("NNCF_CI", "1")  # which is how its usage reports are turned off
    import nncf

    nncf.set_log_level(logging.ERROR)
    named = isinstance(model, onnx.ModelProto)

    def images(index: int) -> Any:
        tiles = captures[index].tiles
        array = np.ascontiguousarray(tiles[index % len(tiles)])[None]
        return {INPUT: array} if named else array

    indices = calibration(captures)
    with redirect_stdout(sys.stderr):  # its progress bars
        return nncf.quantize(
            model,
            nncf.Dataset(indices, images),
            subset_size=len(indices),
            ignored_scope=nncf.IgnoredScope(names=list(exact), validate=False),
        )


def halve_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Weights in half precision, enlarged again when the model is loaded: half the file, the same arithmetic.

    In place. Raises ModelError: a weight that half precision cannot hold.
    """
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT or np.prod(tensor.dims) < _SMALL:
            continue
        half = numpy_helper.to_array(tensor).astype(np.float16)
        if not np.isfinite(half).all():
            raise ModelError(f"weight {tensor.name}: too large for half precision; export with precision fp32")
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(half, f"{name}_half"))
        casts.append(onnx.helper.make_node("Cast", [f"{name}_half"], [name], f"{name}_cast", to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model

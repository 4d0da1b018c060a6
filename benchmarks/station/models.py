"""A model and captures to measure with: as many lights and pixels as wanted, learnt from synthetic discs."""

import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np

from afrd.datasets import open_dataset
from afrd.export import export_run
from afrd.training import TrainConfig, train
from captures import make_capture, write_folder
from station_process import uploads


def model(folder: Path, lights: int, size: int) -> Path:
    """A run of the default model at 256², on captures of size²; made once in `folder`."""
    run, data = folder / f"run-{lights}-{size}", folder / f"data-{lights}-{size}"
    if not run.exists():
        write_folder(data, {"train": {"good": 8}, "val": {"good": 4}}, lights=_names(lights), size=size, masks=False)
        good, held_out = (open_dataset(data, None, split) for split in ("train", "val"))
        train(good, run, TrainConfig(image_size=min(size, 256), false_alarm_rate=0.2), holdout=held_out)
    return run


def artefact(folder: Path, lights: int, size: int) -> Path:
    """The same model as a file for ONNX Runtime: a station starts from it without torch."""
    run, out = model(folder, lights, size), folder / f"model-{lights}-{size}.onnx"
    if not out.exists():
        export_run(run, open_dataset(folder / f"data-{lights}-{size}", None, "val"), out, to="onnx")
    return out


def parts(count: int, lights: int, size: int) -> tuple[list[np.ndarray], list[dict[str, bytes]]]:
    """Captures as arrays, and the same as PNG files to send."""
    rng = np.random.default_rng(0)
    arrays = [make_capture(rng, lights, size, k % 3 == 2)[0] for k in range(count)]
    return arrays, [uploads(images, _names(lights)) for images in arrays]


def write(result: dict[str, Any]) -> None:
    """The result with where it was taken, to standard output."""
    import torch

    place = {
        "machine": platform.machine(),
        "processors": len(os.sched_getaffinity(0)),
        "load": os.getloadavg()[0],
        "torch": torch.__version__,
        "command": " ".join([Path(sys.argv[0]).stem, *sys.argv[1:]]),
    }
    print(json.dumps(result | {"place": place}, indent=2))


def _names(lights: int) -> tuple[str, ...]:
    return tuple(f"light{k}" for k in range(lights))

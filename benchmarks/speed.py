"""Speed of training and inference, each figure beside its floor or its alternative in the same run.

    python benchmarks/speed.py > benchmarks/results/speed.json

Random captures (time does not depend on what is in them): 60 of 6 × 256², EfficientNet-Lite0 unless said otherwise.
"""

import json
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from afrd.capture import Capture, LightRig
from afrd.model import AFRD, JointGaussian, build_model
from afrd.model.loss import position_loss
from afrd.training.features import Recompute, cache_features

CAPTURES, LIGHTS, SIZE, BATCH, EPOCHS = 60, 6, 256, 8, 40


def timed(function: Callable[[], object], repeats: int) -> list[float]:
    function()
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - started)
    return seconds


def spread(seconds: list[float]) -> dict[str, float]:
    return {"median": statistics.median(seconds), "min": min(seconds), "max": max(seconds)}


def matrix_peak() -> float:
    """GFLOP/s of a 2048² single-precision product."""
    a = torch.rand(2048, 2048)
    return 2 * 2048**3 / min(timed(lambda: a @ a, 10)) / 1e9


def inference(teacher: str, weights: str | None, repeats: int) -> dict:
    """Each fusion beside the teacher's passes over all lights, which no fusion can do without."""
    models = {
        fusion: build_model(teacher, weights, LIGHTS, SIZE, fusion).eval() for fusion in ("mean", "attention", "joint")
    }
    images = torch.randint(0, 256, (1, LIGHTS, 3, SIZE, SIZE), dtype=torch.uint8)
    reader = models["joint"]
    prepared = reader._prepare(images)
    steps = {"teacher": lambda: reader.teacher(prepared)}
    steps |= {name: partial(model, images) for name, model in models.items()}
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    with torch.inference_mode():
        for step in steps.values():
            step()
        for _ in range(repeats):  # in turn, so that a drift of the machine meets all
            for name, step in steps.items():
                started = time.perf_counter()
                step()
                seconds[name].append(time.perf_counter() - started)
    return {
        name: {
            "seconds": spread(taken),
            "times_the_teacher": statistics.median(a / b for a, b in zip(taken, seconds["teacher"], strict=True)),
        }
        for name, taken in seconds.items()
    }


def epoch(model: AFRD, features, optimizer) -> None:
    model.train()
    for start in range(0, CAPTURES, BATCH):
        levels = features.batch(range(start, min(start + BATCH, CAPTURES)))
        target, student, _ = model.distil(levels, fused=features.fused)
        position_loss(target, student).backward()
        optimizer.step()
        optimizer.zero_grad()


def random_captures() -> list[Capture]:
    rig = LightRig(tuple(f"light{i}" for i in range(LIGHTS)))
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (CAPTURES, LIGHTS, 3, SIZE, SIZE), dtype=np.uint8)
    return [Capture(str(i), image, rig) for i, image in enumerate(images)]


def fitting() -> dict:
    """The joint model: the teacher's passes, and what is done with them."""
    model = JointGaussian(lights=LIGHTS, image_size=SIZE).eval()
    features = Recompute(model, random_captures(), torch.device("cpu"))
    with torch.inference_mode():
        started = time.perf_counter()
        for _ in features.each():
            pass
        teacher = time.perf_counter() - started
        model.fit(features.each())
    return {"teacher_seconds": teacher, "seconds": time.perf_counter() - started - teacher}


def training(fusion: str) -> dict:
    model = AFRD(lights=LIGHTS, image_size=SIZE, fusion=fusion)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 4e-4, fused=True)
    captures = random_captures()
    started = time.perf_counter()
    with TemporaryDirectory() as folder:
        cache = cache_features(model, captures, where="memory", budget_gb=4, folder=Path(folder), data_digest="")
    filling = time.perf_counter() - started
    cached = timed(lambda: epoch(model, cache, optimizer), 8)
    recomputed = timed(lambda: epoch(model, Recompute(model, captures, torch.device("cpu")), optimizer), 2)
    with_cache = filling + EPOCHS * statistics.median(cached)
    without = EPOCHS * statistics.median(recomputed)
    return {
        "filling_the_cache_seconds": filling,
        "epoch_seconds_cached": spread(cached),
        "epoch_seconds_recomputed": spread(recomputed),
        f"{EPOCHS}_epochs_seconds_cached": with_cache,
        f"{EPOCHS}_epochs_seconds_recomputed": without,
        "times_faster": without / with_cache,
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # random weights of WRN50-2: only its time is asked for
    torch.manual_seed(0)
    print(
        json.dumps(
            {
                "threads": torch.get_num_threads(),
                "versions": {"torch": torch.__version__, "python": platform.python_version()},
                "matrix_peak_gflops_before": matrix_peak(),
                "training": {fusion: training(fusion) for fusion in ("mean", "attention")} | {"joint": fitting()},
                "inference": {
                    "efficientnet_lite0": inference("efficientnet_lite0", None, 40),
                    "wide_resnet50_2 (random weights)": inference("wide_resnet50_2", "random", 5),
                },
                "matrix_peak_gflops_after": matrix_peak(),
            },
            indent=1,
        )
    )

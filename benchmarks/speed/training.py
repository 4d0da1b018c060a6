"""Learning 60 captures of 6 × 256² with EfficientNet-Lite0: 40 epochs of `mean` and `attention`, and fitting `joint`.

    python -m benchmarks.speed.training > benchmarks/results/speed/training.json

With features cached and recomputed, in single precision and, where the processor multiplies in bfloat16, in
`bf16-mixed`; and what decoding the PNGs costs beside the teacher. An epoch is `afrd.training`'s own. 40 epochs are the
filling of the cache and 40 times the median epoch.
"""

from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from benchmarks.speed.measure import (
    Call,
    alone,
    arguments,
    has_bf16,
    in_turn,
    matrix_peak,
    peak_memory,
    progress,
    ratio,
    report,
    seconds,
    spread,
)
from benchmarks.speed.models import LITE0, build, captures
from PIL import Image
from torch.optim import AdamW

from afrd.capture import Capture
from afrd.datasets import open_dataset, read_ahead
from afrd.training import TrainConfig, distillation
from afrd.training.defect_pairs import with_defects
from afrd.training.features import FeatureCache, Recompute, cache_features
from afrd.training.loop import launch

MODULE = "benchmarks.speed.training"
EPOCHS, LIGHTS = 40, 6
TARGET_PEAK = 320  # GFLOP/s, of the machine for which 60 s are asked
CPU = torch.device("cpu")
FULL, QUICK = (60, 256, 5), (4, 64, 1)  # captures, size, rounds
MEAN, BF16, ATTENTION, RECOMPUTED = "mean", "mean, bf16-mixed", "attention", "mean, features recomputed"


def cached(fusion: str, number: int, size: int) -> FeatureCache:
    with TemporaryDirectory() as folder:
        return cache_features(
            build(LITE0, fusion, LIGHTS, size),
            captures(number, LIGHTS, size),
            where="memory",
            budget_gb=4,
            folder=Path(folder),
            data_digest="",
        )


def epoch(what: str, features: FeatureCache | None, number: int, size: int) -> Call:
    """One more epoch each time. features: None fills a cache, or recomputes them if `what` says so."""
    fusion = "attention" if what == ATTENTION else "mean"
    config = TrainConfig(fusion=fusion, precision="bf16-mixed" if what == BF16 else "32-true", learning_rate=4e-4)
    fabric = launch(config)
    model = build(LITE0, fusion, LIGHTS, size)
    if what == RECOMPUTED:
        features = Recompute(model, captures(number, LIGHTS, size), CPU)
    features = features or cached(fusion, number, size)
    optimizer = AdamW([p for p in model.parameters() if p.requires_grad], lr=config.learning_rate, fused=True)
    wrapped, optimizer = fabric.setup(model, optimizer)
    wrapped.mark_forward_method("distil")
    return lambda: distillation.epoch(1, wrapped, features, optimizer, config, fabric)


def epochs(number: int, size: int, rounds: int, quick: bool) -> dict:
    filling, features = {}, {}
    for fusion in ("mean", "attention"):
        filling[fusion] = seconds(lambda fusion=fusion: features.update({fusion: cached(fusion, number, size)}))
    names = [MEAN, *([BF16] if has_bf16() else []), ATTENTION]
    calls = {name: epoch(name, features[name.partition(",")[0]], number, size) for name in names}
    taken = in_turn(calls, rounds)
    taken |= in_turn({RECOMPUTED: epoch(RECOMPUTED, None, number, size)}, 1)
    peak = matrix_peak()
    found = {}
    for name, each in taken.items():
        first = 0.0 if name == RECOMPUTED else filling[name.partition(",")[0]]
        whole = first + EPOCHS * float(np.median(each))
        found[name] = {
            "filling_the_cache_seconds": first,
            "epoch_seconds": spread(each),
            f"{EPOCHS}_epochs_seconds": whole,
            f"{EPOCHS}_epochs_seconds_at_{TARGET_PEAK}_gflops_if_all_were_arithmetic": whole * peak / TARGET_PEAK,
            "peak_memory_mb": None if quick else peak_memory(MODULE, name),
        }
        if name != RECOMPUTED:
            found[name]["epoch_times_mean"] = ratio(each, taken[MEAN])
    return found


def fitting(number: int, size: int) -> Call:
    model, these = build(LITE0, "joint", LIGHTS, size), captures(number, LIGHTS, size)
    features = Recompute(model, these, CPU)
    return torch.inference_mode()(lambda: model.fit(features.each, with_defects(model, these, CPU)))


def teaching(these: list[Capture], size: int) -> Call:
    """The teacher's pass over all of them, as it is for the cache or a fit."""
    features = Recompute(build(LITE0, "joint", LIGHTS, size), these, CPU)
    return torch.inference_mode()(lambda: deque(features.each(), maxlen=0))


def loading(number: int, size: int, rounds: int, folder: Path) -> dict:
    """Six PNGs a capture: a shaded disc with the noise of a camera, which compress as photographs do, by half."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    for i in range(number):
        part = folder / "train" / "good" / f"{i:03}"
        part.mkdir(parents=True)
        for k in range(LIGHTS):
            shade = 120 + 60 * (np.cos(k) * x + np.sin(k) * y) * (x**2 + y**2 < 0.8)
            pixels = shade[..., None] * (1, 0.7, 0.5) + 2 * rng.standard_normal((size, size, 3))
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(part / f"light{k}.png")
    files = open_dataset(folder, None, "train")
    taken = in_turn(
        {
            "decoding, one thread": lambda: [files[i] for i in range(number)],
            "decoding, read_ahead": lambda: list(read_ahead(files)),
            "teacher, captures in memory": teaching([files[i] for i in range(number)], size),
            "teacher, captures from files": teaching(files, size),
        },
        rounds,
    )
    one, ahead, memory, disk = taken.values()
    return {
        "bytes_of_an_image": sum(f.stat().st_size for f in folder.rglob("*.png")) / (number * LIGHTS),
        "captures": number,
        "seconds": {name: spread(values) for name, values in taken.items()},
        "one_thread_as_share_of_teacher": ratio(one, memory),
        "read_ahead_as_share_of_teacher": ratio(ahead, memory),
        "from_files_times_in_memory": ratio(disk, memory),
    }


def measured(quick: bool) -> dict:
    number, size, rounds = QUICK if quick else FULL
    progress("loading")
    with TemporaryDirectory() as folder:
        load = loading(number, size, 1 if quick else 3, Path(folder))
    progress("epochs")
    training = epochs(number, size, rounds, quick)
    progress("fitting")
    these = captures(number, LIGHTS, size)
    fit = in_turn({"teacher": teaching(these, size), "joint": fitting(number, size)}, 1 if quick else 3)
    joint = {
        "teacher_seconds": spread(fit["teacher"]),
        "seconds": spread(fit["joint"]),
        "times_teacher": ratio(fit["joint"], fit["teacher"]),
        "peak_memory_mb": peak_memory(MODULE, "joint", quick=quick),
    }
    return {"captures": number, "lights": LIGHTS, "size": size, "training": training, "joint": joint, "loading": load}


if __name__ == "__main__":
    options = arguments(__doc__).parse_args()
    if options.alone:
        (name,), (number, size, _) = options.alone, QUICK if options.quick else FULL
        make: Callable[[], Call] = (
            partial(fitting, number, size) if name == "joint" else partial(epoch, name, None, number, size)
        )
        alone(make)
    else:
        report(lambda: measured(options.quick), options.quick)

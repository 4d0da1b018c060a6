"""How time and memory grow with the lights, the size of the images and the number of captures. EfficientNet-Lite0.

    python -m benchmarks.speed.growth > benchmarks/results/speed/growth.json

Lights 1 to 16 at 256² (1: `single:0` of two, a distilled model only) and sizes 128² to 512² with six: one inspection,
one training step of 8 captures (`mean` from cached fused features, `attention` from cached features of all lights), and
fitting `joint` to 4 captures, the teacher's pass included; `closing` is the share of it that is done once, however many
captures there are: inverting the covariance. Captures 100 to 10,000 at 128² with three lights, features synthesised: a
whole fit of `joint`, but for the painted defects, whose number is fixed, and an epoch of `mean` from a cache on disk,
of which at most 150 steps, spread over all captures, are run and scaled to the whole. Each number of captures has a
process of its own, whose memory is of two kinds: what it has allocated (`RssAnon`), and with it the pages of the mapped
cache, which the kernel keeps while there is room.
"""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from benchmarks.speed.measure import (
    Call,
    alone,
    anonymous_mb,
    arguments,
    child,
    in_turn,
    peak_memory,
    progress,
    report,
    resident_mb,
    seconds,
    spread,
)
from benchmarks.speed.models import LITE0, build, captures, eager
from torch import Tensor
from torch.optim import AdamW

from afrd.model import MultiLightModel
from afrd.model.loss import position_loss
from afrd.training.features import FeatureCache

MODULE = "benchmarks.speed.growth"
BATCH, FITTED, MOST_STEPS = 8, 4, 150
FULL = {"lights": (1, 2, 4, 8, 16), "sizes": (128, 256, 512), "captures": (100, 1_000, 10_000), "rounds": 3}
QUICK = {"lights": (1, 2), "sizes": (64,), "captures": (12,), "rounds": 1}
MANY = (3, 128)  # lights and size where captures are many
WORK = ("inspection, mean", "inspection, joint", "step, mean", "step, attention", "fit, joint", "closing, joint")


def work(what: str, lights: int, size: int) -> Call | None:
    """What is timed; None where one light is too few for it."""
    kind, fusion = what.split(", ")
    if lights == 1:
        if fusion != "mean":
            return None
        fusion, lights = "single:0", 2
    model = build(LITE0, fusion, lights, size)
    if kind == "inspection":
        runtime, images = eager(model, fusion), captures(1, lights, size)[0].images[None]
        return lambda: runtime.run(images)
    if kind == "closing":
        return model._refresh
    if kind == "fit":
        images = [torch.from_numpy(c.images)[None] for c in captures(FITTED, lights, size)]
        return torch.inference_mode()(lambda: model.fit(lambda: map(model.extract, images)))
    features = synthesised(model, BATCH)
    return partial(step, model, optimiser(model), features, range(BATCH))


def optimiser(model: MultiLightModel) -> torch.optim.Optimizer:
    return AdamW([p for p in model.train().parameters() if p.requires_grad], lr=4e-4, fused=True)


def step(model: MultiLightModel, optimizer: torch.optim.Optimizer, features: FeatureCache, indices) -> None:
    target, student, _ = model.distil(features.batch(indices), fused=features.fused)
    position_loss(target, student).backward()
    optimizer.step()
    optimizer.zero_grad()


def shapes(model: MultiLightModel, fused: bool) -> list[tuple[int, ...]]:
    lights = () if fused else (model.lights,)
    sides = [model.image_size // level.stride for level in model.teacher.levels]
    return [(*lights, level.channels, s, s) for level, s in zip(model.teacher.levels, sides, strict=True)]


def synthesised(model: MultiLightModel, number: int, folder: Path | None = None) -> FeatureCache:
    """A feature cache of noise, in memory or on disk."""
    rng, fused = np.random.default_rng(0), bool(model.fixed_fusion)
    levels = []
    for i, shape in enumerate(shapes(model, fused)):
        block = rng.standard_normal((BATCH, *shape), dtype=np.float32).astype(np.float16)
        if folder is None:
            levels.append(np.resize(block, (number, *shape)))
            continue
        path = folder / f"level{i}.npy"
        level = np.lib.format.open_memmap(path, "w+", np.float16, (number, *shape))
        for start in range(0, number, BATCH):
            level[start : start + BATCH] = block[: number - start]
        del level  # its pages with it: an epoch starts with none
        levels.append(np.load(path, mmap_mode="r"))
    return FeatureCache(levels, fused)


def many_fit(number: int) -> dict:
    """Seconds of a fit of so many captures, whose features come from a generator, and what was allocated."""
    model = build(LITE0, "joint", *MANY)
    pool = [[torch.randn(1, *shape) for shape in shapes(model, False)] for _ in range(16)]
    peak = [0.0]

    def levels() -> Iterator[list[Tensor]]:
        for i in range(number):
            if not i % 10:
                peak[0] = max(peak[0], anonymous_mb())
            yield pool[i % len(pool)]

    with torch.inference_mode():
        taken = seconds(lambda: model.fit(levels))
    return {"seconds": taken, "allocated_mb": peak[0], "peak_memory_mb": resident_mb()}


def many_epoch(number: int, folder: Path) -> dict:
    """Seconds of an epoch of `mean` over a cache on disk, scaled from its steps, and what was allocated."""
    model = build(LITE0, "mean", *MANY)
    optimizer = optimiser(model)
    features = synthesised(model, number, folder)
    order = np.random.default_rng(0).permutation(number)
    batches = np.array_split(order, range(BATCH, number, BATCH))
    run = batches[:MOST_STEPS]
    step(model, optimizer, features, run[0])
    peak, taken = 0.0, 0.0
    for batch in run:
        taken += seconds(lambda batch=batch: step(model, optimizer, features, batch))
        peak = max(peak, anonymous_mb())
    whole = taken * len(batches) / len(run)
    return {"seconds": whole, "steps_run": len(run), "steps": len(batches), "allocated_mb": peak,
            "peak_memory_mb": resident_mb()}  # fmt: skip


def table(over: str, values: tuple[int, ...], rounds: int, memory: bool) -> dict:
    """Seconds and, if asked for, memory of each kind of work at each number of lights, or size."""
    found: dict[str, dict] = {}
    for what in WORK:
        places = {v: (v, 256) if over == "lights" else (6, v) for v in values}
        calls = {v: call for v, place in places.items() if (call := work(what, *place))}
        progress(f"{over}: {what}")
        for value, taken in in_turn(calls, rounds).items():
            peak = peak_memory(MODULE, what, *map(str, places[value])) if memory else None
            found.setdefault(what, {})[str(value)] = {"seconds": spread(taken), "peak_memory_mb": peak}
    return found


def measured(plan: dict) -> dict:
    rounds, memory = plan["rounds"], plan is FULL
    found = {over: table(over, plan[over], rounds, memory) for over in ("lights", "sizes")}
    for what in ("fit, joint", "epoch, mean"):
        for number in plan["captures"]:
            progress(f"captures: {what}, {number}")
            one = child(["-m", MODULE, "--alone", "many", what, str(number)])
            found.setdefault("captures", {}).setdefault(what, {})[str(number)] = one
    return found


if __name__ == "__main__":
    options = arguments(__doc__).parse_args()
    match options.alone:
        case None:
            report(lambda: measured(QUICK if options.quick else FULL), options.quick)
        case ["many", "fit, joint", number]:
            print(json.dumps(many_fit(int(number))))
        case ["many", _, number]:
            with TemporaryDirectory() as folder:
                print(json.dumps(many_epoch(int(number), Path(folder))))
        case [what, lights, size]:
            alone(lambda: work(what, int(lights), int(size)))

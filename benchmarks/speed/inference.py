"""One inspection, from uint8 images of six lights to map and score, beside the least it could take.

    python -m benchmarks.speed.inference > benchmarks/results/speed/inference.json

EfficientNet-Lite0 and WRN50-2 (random weights), 6 × 256², batch 1 and 8; `mean`, `joint` and, in batch 1, `attention`,
eager with batch norms folded, and as exported. Beside them the teacher alone, bare convolutions, and the floor: the
model's FLOP at the rate of a matrix product that is timed in every round (`floor`). Seconds are of the whole batch.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from benchmarks.speed.alone import ours
from benchmarks.speed.floor import bare, flop, random_images
from benchmarks.speed.measure import (
    Call,
    alone,
    arguments,
    artefact_folder,
    child,
    in_turn,
    peak_memory,
    progress,
    ratio,
    report,
    spread,
)
from benchmarks.speed.models import EAGER, LITE0, WRN50, build, eager, export_missing
from benchmarks.speed.shares import shares

from afrd.model import MultiLightModel

MODULE = "benchmarks.speed.inference"
LIGHTS, SIZE = 6, 256
FUSIONS = ("mean", "attention", "joint")
ROUNDS = {(LITE0, 1): 40, (LITE0, 8): 8, (WRN50, 1): 7, (WRN50, 8): 2}  # (teacher, batch), after one to warm up
PRODUCT = 2048  # side of the matrices
TEACHER, BARE = "teacher alone", "bare convolutions"


def eager_call(model: MultiLightModel, fusion: str, what: str, batch: int) -> Call:
    """what: eager, the teacher alone, or bare convolutions. The model is folded."""
    images = random_images(model, batch)
    if what == EAGER:
        runtime, array = eager(model, fusion), images.numpy()
        return lambda: runtime.run(array)
    eager(model, fusion)
    if what == BARE:
        return bare(model, images)
    prepared = model.prepare(images)
    return torch.inference_mode()(partial(model.teacher, prepared))


def flops(teacher: str, lights: int, size: int) -> dict[str, int]:
    """FLOP of one capture, by fusion and of the teacher alone; nothing is computed."""
    found = {}
    for fusion in FUSIONS:
        model = build(teacher, fusion, lights, size).to("meta")
        found[fusion] = flop(model, random_images(model, 1))
    return found | {TEACHER: flop(model.teacher, model.prepare(random_images(model, 1)))}


def timed(
    teacher: str, batch: int, rounds: int, fusions: list[str], lights: int, size: int, folder: Path
) -> tuple[dict[str, list[float]], dict[str, Callable[[], float]]]:
    """Seconds of each contender by "fusion, variant", and what tells its memory."""
    calls: dict[str, Call] = {}
    memory: dict[str, Callable[[], float]] = {}
    for fusion in fusions:
        model = build(teacher, fusion, lights, size)
        for what in (EAGER, BARE, *([TEACHER] if fusion == "joint" else [])):
            name = what if what == TEACHER else f"{fusion}, {what}"
            calls[name] = eager_call(model, fusion, what, batch)
            memory[name] = partial(peak_memory, MODULE, teacher, fusion, what, *map(str, (batch, lights, size)))
        for variant, path in export_missing(folder, teacher, fusion, lights, size).items():
            calls[f"{fusion}, {variant}"] = ours(path, batch, lights, size)
            arguments = ["-m", "benchmarks.speed.alone", str(path), str(batch), str(lights), str(size)]
            memory[f"{fusion}, {variant}"] = lambda arguments=arguments: child(arguments)["peak_memory_mb"]
    a = torch.rand(PRODUCT, PRODUCT)
    calls["product"] = lambda: a @ a
    progress(f"{teacher}, batch {batch}: {len(calls)} contenders, {rounds} rounds")
    return in_turn(calls, rounds), memory


def figures(seconds: dict[str, list[float]], batch: int, flop_of: dict[str, int]) -> dict:
    """Each contender beside floor, bare convolutions, eager model and teacher of the same rounds."""
    product = seconds.pop("product")
    found = {}
    for name, taken in seconds.items():
        fusion, _, variant = name.partition(", ")
        work = batch * flop_of[fusion]
        floor = [work / (2 * PRODUCT**3) * t for t in product]
        found[name] = {
            "seconds": spread(taken),
            "floor_seconds": float(np.median(floor)),
            "times_floor": ratio(taken, floor),
            "times_teacher": ratio(taken, seconds[TEACHER]) if TEACHER in seconds else None,
        }
        if variant:
            found[name]["times_bare"] = ratio(taken, seconds[f"{fusion}, {BARE}"])
            found[name]["faster_than_eager"] = ratio(seconds[f"{fusion}, {EAGER}"], taken)
    return found


def measured(folder: Path, quick: bool) -> dict:
    flop_of = {teacher: flops(teacher, LIGHTS, SIZE) for teacher in (LITE0, WRN50)}
    lights, size = (2, 64) if quick else (LIGHTS, SIZE)
    done = {LITE0: flops(LITE0, lights, size)} if quick else flop_of
    plan = {(LITE0, 1): 2} if quick else ROUNDS
    results: dict[str, dict] = {}
    for (teacher, batch), rounds in plan.items():
        # what attention adds to the mean does not depend on the batch
        fusions = ["mean"] if quick else [fusion for fusion in FUSIONS if batch == 1 or fusion != "attention"]
        seconds, memory = timed(teacher, batch, rounds, fusions, lights, size, folder)
        found = figures(seconds, batch, done[teacher])
        progress(f"{teacher}, batch {batch}: memory")
        for name, peak in memory.items():
            wanted = not quick or name in ("mean, eager", "mean, OpenVINO fp32")
            found[name]["peak_memory_mb"] = peak() if wanted else None
        results.setdefault(teacher, {})[str(batch)] = found
    where = {
        teacher: {
            fusion: shares(eager_call(build(teacher, fusion, lights, size), fusion, EAGER, 1))
            for fusion in (["mean"] if quick else ["mean", "joint"])
        }
        for teacher in results
    }
    libraries = peak_memory(MODULE, "libraries")
    return {
        "lights": LIGHTS,
        "size": SIZE,
        "flop": flop_of,
        "libraries_memory_mb": libraries,
        "inference": results,
        "shares_of_eager": where,
    }


if __name__ == "__main__":
    options = arguments(__doc__).parse_args()
    if options.alone == ["libraries"]:
        alone(None)
    elif options.alone:
        teacher, fusion, what, *numbers = options.alone
        batch, lights, size = map(int, numbers)
        alone(lambda: eager_call(build(teacher, fusion, lights, size), fusion, what, batch))
    else:
        with artefact_folder(options.artefacts) as folder:
            report(lambda: measured(folder, options.quick), options.quick)

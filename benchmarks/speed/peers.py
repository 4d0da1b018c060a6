"""One capture of six lights, beside anomalib's Reverse Distillation on the six images; and the training step of both.

    python -m benchmarks.speed.peers > benchmarks/results/speed/peers.json

WRN50-2 with random weights, 256². anomalib's own torch model, as its package makes it, from normalised images to map
and score; ours from uint8 images, so that reading and normalising them is in our time and not in anomalib's. OpenVINO:
both with the same settings. A training step is forward, backward and optimiser: ours with 8 captures of six lights
whose fused features are cached, anomalib's with 8 single images, which pass its teacher at every step.
"""

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from anomalib.models.image.reverse_distillation.anomaly_map import AnomalyMapGenerationMode
from anomalib.models.image.reverse_distillation.loss import ReverseDistillationLoss
from anomalib.models.image.reverse_distillation.torch_model import ReverseDistillationModel
from benchmarks.speed.alone import foreign, ours
from benchmarks.speed.measure import (
    Call,
    alone,
    arguments,
    artefact_folder,
    child,
    has_bf16,
    in_turn,
    peak_memory,
    progress,
    ratio,
    report,
    spread,
)
from benchmarks.speed.models import EAGER, WRN50, build, captures, eager, export_missing
from torch import Tensor, nn

from afrd.files import atomic_folder
from afrd.model.loss import position_loss

MODULE = "benchmarks.speed.peers"
OURS_ALONE = "benchmarks.speed.inference"  # where anomalib is not imported
LIGHTS, SIZE, BATCH, ROUNDS, STEPS = 6, 256, 8, 7, 3
QUICK = ("resnet18", 2, 64)
ONE_BY_ONE, AS_BATCH, THEIR_OPENVINO = "anomalib, one by one", "anomalib, as a batch", "anomalib, OpenVINO fp32"
THEIR_STEP, OUR_STEP = "anomalib, 8 single images", "mean, 8 captures from cached features"
OUR_BF16_STEP = f"{OUR_STEP}, bf16-mixed"


def anomalib_model(backbone: str, size: int) -> ReverseDistillationModel:
    layers = ["layer1", "layer2", "layer3"]
    mode = AnomalyMapGenerationMode.ADD
    return ReverseDistillationModel(backbone, (size, size), layers, mode, pre_trained=False).eval()


class Answers(nn.Module):
    """anomalib's model with a tuple for its answer, which is what can be converted."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        answer = self.model(images)
        return answer.pred_score, answer.anomaly_map


def anomalib_openvino(folder: Path, backbone: str, batch: int, size: int) -> Path:
    """By way of ONNX, as anomalib's own export and ours go; for a fixed batch, which can only be to its advantage."""
    import openvino

    path = folder / backbone / "anomalib" / "model.xml"
    if not path.is_file():
        progress("exporting anomalib")
        with atomic_folder(path.parent) as temporary, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the exporter to its own developers
            model, example = Answers(anomalib_model(backbone, size)), torch.rand(batch, 3, size, size)
            torch.onnx.export(model, (example,), temporary / "model.onnx", dynamo=True, verbose=False)
            openvino.save_model(openvino.convert_model(temporary / "model.onnx"), temporary / path.name, False)
    return path


def inspection(what: str, backbone: str, lights: int, size: int) -> Call:
    """anomalib's eager model, or the eager model of one of our fusions."""
    if what in (ONE_BY_ONE, AS_BATCH):
        model, images = anomalib_model(backbone, size), torch.rand(lights, 3, size, size)
        parts = images[:, None] if what == ONE_BY_ONE else [images]

        @torch.inference_mode()
        def run() -> None:
            for part in parts:
                model(part)

        return run
    runtime = eager(build(backbone, what, lights, size), what)
    array = captures(1, lights, size)[0].images[None]
    return lambda: runtime.run(array)


def step(what: str, backbone: str, lights: int, size: int) -> Call:
    """A training step."""
    if what == THEIR_STEP:
        model = anomalib_model(backbone, size).train()
        trained = [*model.decoder.parameters(), *model.bottleneck.parameters()]
        optimizer = torch.optim.Adam(trained, lr=0.005, betas=(0.5, 0.99))  # as its Lightning module has it
        images, loss_of = torch.rand(BATCH, 3, size, size), ReverseDistillationLoss()

        def pair() -> Tensor:
            return loss_of(*model(images))
    else:
        model = build(backbone, "mean", lights, size).train()
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 4e-4, fused=True)
        levels = [
            torch.rand(BATCH, level.channels, size // level.stride, size // level.stride).half()
            for level in model.teacher.levels
        ]

        def pair() -> Tensor:
            with torch.autocast("cpu", torch.bfloat16, enabled=what == OUR_BF16_STEP):
                target, student, _ = model.distil([level.float() for level in levels], fused=True)
            return position_loss([t.float() for t in target], [s.float() for s in student])

    def run() -> None:
        pair().backward()
        optimizer.step()
        optimizer.zero_grad()

    return run


def measured(folder: Path, quick: bool) -> dict:
    place = QUICK if quick else (WRN50, LIGHTS, SIZE)
    backbone, lights, size = place
    theirs = anomalib_openvino(folder, backbone, lights, size)
    calls: dict[str, Call] = {name: inspection(name, *place) for name in (ONE_BY_ONE, AS_BATCH)}
    memory: dict[str, Callable[[], float]] = {
        name: partial(peak_memory, MODULE, "inspection", name, quick=quick) for name in (ONE_BY_ONE, AS_BATCH)
    }

    def add(name: str, path: Path, lights: int, batch: int) -> None:
        calls[name] = ours(path, batch, lights, size) if lights else foreign(path, batch, size)
        arguments = ["-m", "benchmarks.speed.alone", str(path), str(batch), str(lights), str(size)]
        memory[name] = lambda: child(arguments)["peak_memory_mb"]

    add(THEIR_OPENVINO, theirs, 0, lights)
    for fusion in ("mean",) if quick else ("mean", "attention", "joint"):
        calls[f"{fusion}, {EAGER}"] = inspection(fusion, *place)
        numbers = map(str, (1, lights, size))
        memory[f"{fusion}, {EAGER}"] = partial(peak_memory, OURS_ALONE, backbone, fusion, EAGER, *numbers)
        if quick:
            continue
        for variant, path in export_missing(folder, backbone, fusion, lights, size).items():
            if variant.startswith("OpenVINO"):
                add(f"{fusion}, {variant}", path, lights, 1)
    progress(f"inspection: {len(calls)} contenders")
    seconds = in_turn(calls, 1 if quick else ROUNDS)
    calls.clear()
    found = {
        name: {
            "seconds": spread(taken),
            "faster_than_anomalib_one_by_one": ratio(seconds[ONE_BY_ONE], taken),
            "faster_than_anomalib_batch": ratio(seconds[AS_BATCH], taken),
            "faster_than_anomalib_openvino": ratio(seconds[THEIR_OPENVINO], taken),
            "peak_memory_mb": memory[name]() if not quick or name == THEIR_OPENVINO else None,
        }
        for name, taken in seconds.items()
    }
    progress("training step")
    names = (THEIR_STEP, OUR_STEP, *([OUR_BF16_STEP] if has_bf16() else []))
    steps = in_turn({name: step(name, *place) for name in names}, 1 if quick else STEPS)
    training = {
        name: {
            "seconds": spread(taken),
            "share_of_anomalib": ratio(taken, steps[THEIR_STEP]),
            "peak_memory_mb": peak_memory(MODULE, "step", name, quick=quick) if name == OUR_STEP or not quick else None,
        }
        for name, taken in steps.items()
    }
    return {"backbone": backbone, "lights": lights, "size": size, "inspection": found, "training_step": training}


if __name__ == "__main__":
    options = arguments(__doc__).parse_args()
    if options.alone:
        kind, what = options.alone
        make = {"inspection": inspection, "step": step}[kind]
        alone(lambda: make(what, *(QUICK if options.quick else (WRN50, LIGHTS, SIZE))))
    else:
        with artefact_folder(options.artefacts) as folder:
            report(lambda: measured(folder, options.quick), options.quick)

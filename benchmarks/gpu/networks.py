"""One inspection and one training step on the GPU, beside the card's limit: FLOP over the rate of a matrix product.

EfficientNet-Lite0 and WRN50-2 (random weights), six lights of 256². FLOP are counted, not estimated; those of a step
with its backward pass too. Single precision is pinned (no TF32), so its limit is the card's single precision.
"""

import torch
from benchmarks.gpu.measure import arguments, limits, report, seconds
from benchmarks.speed.floor import flop, random_images
from benchmarks.speed.models import LITE0, WRN50, build, captures
from torch.optim import AdamW
from torch.utils.flop_counter import FlopCounterMode

from afrd.model.compilation import compiled, compiled_while_training
from afrd.model.folding import fold_batch_norms
from afrd.model.precision import pin_float32
from afrd.training import TrainConfig, distillation
from afrd.training.features import Recompute
from afrd.training.loop import launch

LIGHTS = 6
PLAN = {LITE0: ("joint", "attention"), WRN50: ("joint", "attention")}


def inspections(teacher: str, fusion: str, options, size: int) -> dict:
    """A batch through the model, already on the device."""
    on_paper = build(teacher, fusion, LIGHTS, size).to("meta")
    work = flop(on_paper, random_images(on_paper, 1))
    model = fold_batch_norms(build(teacher, fusion, LIGHTS, size)).to(options.device)
    found: dict = {"gflop": work / 1e9}
    for batch in (1, 2) if options.quick else (1, 16):
        images = random_images(model, batch)
        modules = {"eager": model}
        if teacher == LITE0 and batch == 1 and not options.quick:  # compiling takes half a minute each
            modules["compiled"] = compiled(model)
        for name, module in modules.items():

            @torch.inference_mode()
            def call(module=module, images=images):
                return module(images)

            taken = seconds(call, options.device, repeats=3 if options.quick else 30)
            found[f"{name}, batch {batch}"] = taken | {"tflops": batch * work / taken["p50"] / 1e12}
    return found


def steps(teacher: str, precision: str, compile: bool, options, size: int, batch: int) -> dict:
    """An epoch that is one batch, features made anew: the teacher, the student forward and backward, the optimiser."""
    config = TrainConfig(
        fusion="attention", teacher=teacher, teacher_weights=None if teacher == LITE0 else "random",
        precision=precision, accelerator=options.device, batch_size=batch, learning_rate=1e-4, image_size=size,
    )  # fmt: skip
    fabric = launch(config)
    model = build(teacher, "attention", LIGHTS, size).to(fabric.device)
    features = Recompute(model, captures(batch, LIGHTS, size), fabric.device)
    optimizer = AdamW([p for p in model.parameters() if p.requires_grad], lr=config.learning_rate, fused=True)
    wrapped, optimizer = fabric.setup(model, optimizer)
    wrapped.mark_forward_method("distil")
    levels = features.batch(range(batch))

    def step(features=features):
        return distillation.epoch(1, wrapped, features, optimizer, config, fabric)

    class Stored:
        """The same features again."""

        fused = False

        def __len__(self) -> int:
            return batch

        def batch(self, indices):
            return levels

    with FlopCounterMode(display=False) as counter:
        step(Stored())
    work = counter.get_total_flops()
    if options.device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats()
    with compiled_while_training(model, compile):
        taken = seconds(lambda: step(Stored()), options.device, repeats=2 if options.quick else 10)
    found = {"student": taken | {"tflop": work / 1e12, "tflops": work / taken["p50"] / 1e12}}
    found["with teacher and preparation"] = seconds(step, options.device, repeats=1 if options.quick else 5, warm=1)
    if options.device.startswith("cuda"):
        found["peak_memory_gb"] = torch.cuda.max_memory_allocated() / 1e9
    return found


def main() -> None:
    options = arguments(__doc__).parse_args()
    pin_float32()
    size, batch = (64, 2) if options.quick else (256, 16)
    plan = {LITE0: PLAN[LITE0]} if options.quick else PLAN
    found: dict = {"lights": LIGHTS, "size": size, "limits_before": limits(options.device, options.quick)}
    found["inspection"] = {
        teacher: {fusion: inspections(teacher, fusion, options, size) for fusion in fusions}
        for teacher, fusions in plan.items()
    }
    kinds = [("32-true", False), *([] if options.quick else [("bf16-mixed", False), ("bf16-mixed", True)])]
    found["training_step"] = {
        teacher: {
            precision + (", compiled" if compile else ""): steps(teacher, precision, compile, options, size, batch)
            for precision, compile in kinds
        }
        for teacher in reversed(plan)
    }
    found["batch"] = batch
    found["limits_after"] = limits(options.device, options.quick)
    report(found)


if __name__ == "__main__":
    main()

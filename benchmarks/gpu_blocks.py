"""Tables of what was measured on a GPU, from results/gpu/."""

from collections.abc import Iterator
from textwrap import wrap

from benchmarks.markdown import Blocks, raw, rows

TEACHERS = {"efficientnet_lite0": "EfficientNet-Lite0", "wide_resnet50_2": "WRN50-2"}


def _share(value: float) -> str:
    return "under 1 %" if value < 0.01 else f"{value:.0%}".replace("%", " %")


def _ms(spread: dict[str, float]) -> str:
    return f"{1000 * spread['p50']:.1f} / {1000 * spread['p95']:.1f}"


def inspection() -> Iterator[str]:
    """A batch that is on the device already, beside the card's single precision."""
    found, machine = raw("gpu/networks.json"), raw("gpu/machine.json")
    limit = found["limits_before"]
    yield from wrap(
        f"{machine['gpu']}, torch {machine['torch']}. Matrix products: {limit['float32_tflops']:.0f} TFLOP/s in single "
        f"precision, {limit['tf32_tflops']:.0f} in TF32, {limit['bfloat16_tflops']:.0f} in bfloat16; copies "
        f"{limit['copy_gb_per_second'] / 1000:.1f} TB/s.",
        width=120,
    )
    yield ""
    body = []
    for teacher, fusions in found["inspection"].items():
        for fusion, of in fusions.items():
            for how, spread in of.items():
                if how == "gflop":
                    continue
                batch = int(how.rpartition(" ")[2])
                share = spread["tflops"] / limit["float32_tflops"]
                body.append(
                    (
                        f"{TEACHERS[teacher]}, `{fusion}`, {how}",
                        f"{of['gflop'] * batch:.0f}",
                        _ms(spread),
                        f"{1000 * spread['p50'] / batch:.1f}",
                        _share(share),
                    )
                )
    yield from rows(("six lights of 256²", "GFLOP", "ms, p50 / p95", "ms a capture", "of the limit"), body)


def training_step() -> Iterator[str]:
    """16 captures: student forward and backward and the optimiser from stored features; and all of it."""
    found = raw("gpu/networks.json")
    limits = {"32-true": "float32_tflops", "bf16-mixed": "bfloat16_tflops"}
    body = []
    for teacher, precisions in found["training_step"].items():
        for how, of in precisions.items():
            share = of["student"]["tflops"] / found["limits_before"][limits[how.partition(",")[0]]]
            body.append(
                (
                    f"{TEACHERS[teacher]}, {how}",
                    _ms(of["student"]),
                    _share(share),
                    _ms(of["with teacher and preparation"]),
                    f"{of['peak_memory_gb']:.1f} GB",
                )
            )
    head = ("`attention`, 16 captures", "from features, ms", "of the limit", "from images, ms", "peak memory")
    yield from rows(head, body)


def answers() -> Iterator[str]:
    """The same captures, learned and judged on both."""
    found = raw("gpu/learning.json")
    body = []
    for model, of in found["models"].items():
        gpu, cpu = of["cuda"], of.get("cpu")
        body.append(
            (
                f"`{model.partition(',')[0]}`{model[len(model.partition(',')[0]) :]}",
                f"{cpu['seconds']:.0f} s" if cpu else "",
                f"{gpu['seconds']:.0f} s",
                f"{gpu['scores_on_gpu_and_processor_apart']:.0e}",
                f"{of['scores_of_both_models_apart']:.0e}" if cpu else "",
                f"{of['thresholds_apart']:.0e}" if cpu else "",
            )
        )
    head = (
        "",
        "learned by 16 cores",
        "by the GPU",
        "scores of one run apart",
        "scores of both runs apart",
        "their thresholds apart",
    )
    yield from rows(head, body)


def artefacts() -> Iterator[str]:
    found = raw("gpu/exported.json")
    body = [
        (
            f"`{name.partition(',')[0]}`{name[len(name.partition(',')[0]) :]}",
            f"{of['scores_apart']:.0e}",
            "yes" if of["verdicts_alike"] else "**no**",
            *(
                _ms(of[what])
                for what in ("one capture, inspected", "batch 1, from host memory", "batch 16, from host memory")
            ),
        )
        for name, of in found["artefacts"].items()
    ]
    head = ("", "scores apart", "verdicts alike", "`Inspector.inspect`, ms", "runtime, batch 1, ms", "batch 16, ms")
    yield from rows(head, body)


GPU_BLOCKS: Blocks = {
    "gpu, inspection": inspection,
    "gpu, training step": training_step,
    "gpu, answers": answers,
    "gpu, artefacts": artefacts,
}

"""What was hoped for, and where in the results stands what came of it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

LITE0, WRN50 = "efficientnet_lite0", "wide_resnet50_2"
_FUSIONS = ("mean", "attention", "joint")


class Target(NamedTuple):
    """what: in words. file, path: the result, and where in it. limit: at most, or at least if `least`."""

    what: str
    file: str
    path: tuple[str, ...]
    limit: float
    least: bool = False

    def value(self, found: dict[str, Any]) -> float | None:
        """None where it has not been measured."""
        value = found.get(self.file)
        for key in self.path:
            value = value and value.get(key)
        return value

    def reached(self, value: float) -> bool:
        return value >= self.limit if self.least else value <= self.limit


def _all() -> Iterator[Target]:
    for teacher, name, key, limit in (
        (WRN50, "WRN50-2", "times_floor", 1.4),
        (LITE0, "EfficientNet-Lite0", "times_bare", 1.1),
    ):
        of = "floor" if key == "times_floor" else "convolutions"
        for fusion in _FUSIONS:
            for batch in ("1",) if fusion == "attention" else ("1", "8"):
                for variant in ("eager", "OpenVINO fp32"):
                    what = f"{name}, `{fusion}`, {variant}, batch {batch}: ÷ {of}"
                    yield Target(what, "inference", ("inference", teacher, batch, f"{fusion}, {variant}", key), limit)
    for fusion in _FUSIONS:
        for variant, limit in (("OpenVINO fp32", 1.3), *([] if fusion == "joint" else [("OpenVINO int8", 3)])):
            path = ("inference", WRN50, "1", f"{fusion}, {variant}", "faster_than_eager")
            yield Target(f"WRN50-2, `{fusion}`: eager ÷ {variant}", "inference", path, limit, least=True)
    for fusion in _FUSIONS:
        for variant, other, limit in (
            ("eager", "one_by_one", 2.5),
            ("OpenVINO fp32", "one_by_one", 2.5),
            ("OpenVINO fp32", "openvino", 1.7),
            *([] if fusion == "joint" else [("OpenVINO int8", "one_by_one", 6)]),
        ):
            path = ("inspection", f"{fusion}, {variant}", f"faster_than_anomalib_{other}")
            theirs = "anomalib's OpenVINO" if other == "openvino" else "anomalib, one by one"
            yield Target(f"WRN50-2, `{fusion}`: {theirs} ÷ {variant}", "peers", path, limit, least=True)
    for name in ("", ", bf16-mixed"):
        step = ("training_step", f"mean, 8 captures from cached features{name}", "share_of_anomalib")
        yield Target(f"training step, 8 captures from the cache{name} ÷ anomalib's, 8 images", "peers", step, 0.7)
    forty = ("training", "mean", "40_epochs_seconds_at_320_gflops_if_all_were_arithmetic")
    yield Target("40 epochs of `mean`, seconds × peak ÷ 320 GFLOP/s", "training", forty, 60)
    yield Target("`afrd --help`, seconds", "start", ("start", "afrd --help", "seconds", "p50"), 0.5)
    for variant in ("ONNX Runtime fp32", "OpenVINO fp32"):
        path = ("start", f"first verdict, joint, {variant}", "seconds", "p50")
        yield Target(f"first verdict, `joint`, {variant}, seconds", "start", path, 3)


TARGETS = tuple(_all())

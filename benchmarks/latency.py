"""Latency against accuracy, drawn from results that are there: EfficientNet-Lite0, one capture of 6 × 256².

    python benchmarks/latency.py

Latency: p50 of batch 1 in results/speed/inference.json. Accuracy: average I-AUROC over the classes of results/rendered,
and, of `mean` in int8, over those of results/int8.json. A file of fp32 has its run's accuracy: `afrd export` writes no
other. What has not been measured is not drawn.
"""

import argparse
import csv
import json
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

from afrd.files import atomic_path

RESULTS = Path(__file__).parent / "results"
COLOURS = {"mean": "tab:blue", "attention": "tab:orange", "joint": "tab:green"}
MARKERS = {"eager": "o", "OpenVINO fp32": "s", "ONNX Runtime fp32": "^", "OpenVINO int8": "D"}


class Point(NamedTuple):
    """milliseconds: p50 of a capture; auroc: average over classes."""

    fusion: str
    variant: str
    milliseconds: float
    auroc: float


def rendered(path: Path) -> dict[str, float]:
    """Average I-AUROC over classes of each fusion; seeds of a class are averaged first."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            if row["method"] in COLOURS and row["status"] == "done":
                found[row["method"]][row["category"]].append(float(row["image_auroc"]))
    return {
        method: sum(sum(seeds) / len(seeds) for seeds in classes.values()) / len(classes)
        for method, classes in found.items()
    }


def points(inference: dict, auroc: dict[str, float], int8: dict | None) -> list[Point]:
    """int8: results/int8.json, or None where it has not been measured yet."""
    found = []
    for name, measured in inference["inference"]["efficientnet_lite0"]["1"].items():
        fusion, _, variant = name.partition(", ")
        if variant not in MARKERS or fusion not in auroc:
            continue
        accuracy = auroc[fusion]
        if variant.endswith("int8"):
            if fusion != "mean" or not int8:
                continue
            classes = int8["classes"].values()
            # its runs are others than the rendered ones: what int8 costs is taken from it, in the same runs
            lost = sum(c["eager"] - c["openvino int8"] for c in classes) / len(classes)
            accuracy -= lost
        found.append(Point(fusion, variant, 1000 * measured["seconds"]["p50"], accuracy))
    return found


def draw(shown: list[Point], threads: int, path: Path) -> None:
    figure, axes = pyplot.subplots(figsize=(7, 3.6), layout="constrained")
    for point in shown:
        axes.plot(point.milliseconds, point.auroc, MARKERS[point.variant], color=COLOURS[point.fusion], markersize=8)
    for fusion, colour in COLOURS.items():
        axes.plot([], [], "-", color=colour, linewidth=4, label=fusion)
    for variant in dict.fromkeys(point.variant for point in shown):
        axes.plot([], [], MARKERS[variant], color="grey", label=variant)
    axes.set_xlabel(f"one capture of 6 × 256², EfficientNet-Lite0, {threads} cores: milliseconds (p50)")
    axes.set_ylabel("average I-AUROC")
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    axes.legend(ncols=2, fontsize=8)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150)
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inference", type=Path, default=RESULTS / "speed" / "inference.json")
    parser.add_argument("--int8", type=Path, default=RESULTS / "int8.json")
    parser.add_argument("--out", type=Path, default=RESULTS.parent.parent / "docs" / "images" / "latency.png")
    options = parser.parse_args()
    int8 = json.loads(options.int8.read_text()) if options.int8.is_file() else None
    inference = json.loads(options.inference.read_text())
    accuracy = rendered(RESULTS / "rendered" / "results.csv")
    draw(points(inference, accuracy, int8), inference["threads"], options.out)


if __name__ == "__main__":
    main()

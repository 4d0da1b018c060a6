"""What grey captures, and 12 bits in 16 of linear light, cost or bring beside the same captures in 8-bit colour.

    python -m benchmarks.pixels DATA [--categories C …] [--test-split test_public] [--seed 0]
        [--out benchmarks/results/pixels.json]

DATA: 8-bit colour captures, for example of `afrd render`. The default model at 256² learns and is judged on each
category as it is, in grey (the mean of the channels, one channel in the files) and as a sensor of 12 bits gives it
(linear light, in 16-bit files). Areas with intervals, 95 %; differences are paired over captures. Seconds are of the
processor. What the result holds of a category is not run again.
"""

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from afrd.comparison.statistics import Runs, areas, difference
from afrd.datasets import categories, open_dataset
from afrd.evaluation import evaluate
from afrd.files import write_text
from afrd.imaging import ImagingOptions
from afrd.imaging.pixels import to_linear
from afrd.inspector import Inspector
from afrd.training import TrainConfig, train


def as_grey(image: np.ndarray) -> np.ndarray:
    """[H, W, 3] uint8 to [H, W]."""
    return np.rint(image.mean(2)).astype(np.uint8)


def as_twelve_bits(image: np.ndarray) -> np.ndarray:
    """[H, W, 3] uint8, sRGB, to linear counts of 0 to 4095, uint16."""
    return np.rint(to_linear(image / 255) * 4095).astype(np.uint16)


COLOUR = "8-bit colour"
VARIANTS: dict[str, tuple[Callable | None, ImagingOptions]] = {
    COLOUR: (None, ImagingOptions()),
    "grey": (as_grey, ImagingOptions()),
    "12 bits in 16, linear": (as_twelve_bits, ImagingOptions(bits=12, transfer="linear")),
}


def rewritten(source: Path, category: str, target: Path, change: Callable) -> Path:
    """A copy of a data set's category in the Eyecandies layout whose lights are changed, all else as it is."""
    shutil.copytree(source / category, target / category)
    for path in source.glob("*.yaml"):
        shutil.copy(path, target / path.name)
    for path in (target / category).rglob("*_image_*.png"):
        cv2.imwrite(str(path), change(cv2.imread(str(path), cv2.IMREAD_UNCHANGED)))
    return target


def compared(name: str, labels: Sequence[bool], scores: Sequence[float], others: Sequence[float]) -> list[float | None]:
    """I-AUROC of scores less that of others, and the ends of its 95 % interval, paired over captures."""
    runs = {which: Runs((0,), np.array([each])) for which, each in (("these", scores), ("others", others))}
    found = areas(name, np.array(labels), runs)
    less = difference(found["these"], found["others"])
    return [None if value is None else round(value, 4) for value in (less.value, *(less.interval or (None, None)))]


def of_variant(source: Path, category: str, test: str, seed: int, change: Callable | None, options: ImagingOptions):
    with tempfile.TemporaryDirectory() as folder:
        data = rewritten(source, category, Path(folder) / "data", change) if change else source
        splits = {split: open_dataset(data, category, split) for split in ("train", "val", test)}
        start = time.process_time()
        config = TrainConfig(fusion="joint", seed=seed, imaging=options)
        train(splits["train"], Path(folder) / "run", config, holdout=splits["val"])
        learned = time.process_time()
        found = evaluate(Inspector.load(Path(folder) / "run"), splits[test])
    metrics = found.metrics
    row = {
        name: [round(value, 4) for value in (each.value, each.low, each.high)]
        for name, each in (
            ("I-AUROC", metrics.image_auroc),
            ("P-AUROC", metrics.pixel_auroc),
            ("AU-PRO", metrics.au_pro),
        )
    }
    row |= {
        "good called anomalous": f"{sum(one.outcome == 'false alarm' for one in found.captures)} of {found.n_good}",
        "bad found": f"{sum(one.outcome == 'found' for one in found.captures)} of {found.n_bad}",
        "seconds of learning": round(learned - start, 1),
        "seconds of a capture, read and judged": round((time.process_time() - learned) / len(found.captures), 3),
    }
    return row, [one.anomalous for one in found.captures], [one.score for one in found.captures]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--categories", nargs="*")
    parser.add_argument("--test-split", default="test_public")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "pixels.json")
    arguments = parser.parse_args()
    result = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    for category in arguments.categories or categories(arguments.data):
        if category in result:
            continue
        rows: dict[str, dict] = {}
        scores: dict[str, list[float]] = {}
        for name, (change, options) in VARIANTS.items():
            row, labels, scores[name] = of_variant(
                arguments.data, category, arguments.test_split, arguments.seed, change, options
            )
            if name != COLOUR:
                row["I-AUROC less that of 8-bit colour"] = compared(category, labels, scores[name], scores[COLOUR])
            rows[name] = row
            print(category, name, json.dumps(row), flush=True)
        result[category] = rows
        write_text(arguments.out, json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()

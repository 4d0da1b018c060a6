"""Do grey captures, 12 bits in 16 of linear light, and one gain taken out of the rig cost or bring accuracy?

    python benchmarks/pixels.py FOLDER CATEGORY … [--image-size 128] [--out benchmarks/results/pixels.json]

FOLDER: a data set of 8-bit colour captures, with splits train, val and test. Each category is trained and evaluated as
it is, in grey (the mean of the channels), as a sensor of 12 bits gives it (linear, in 16-bit files), and with `gain:
rig`; all of them on the test captures as they are and with all lights 20 % darker.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from afrd.capture import Capture
from afrd.comparison.statistics import Runs, areas, difference
from afrd.datasets import open_dataset
from afrd.disturb import apply
from afrd.evaluation.metrics import image_auroc
from afrd.imaging import ImagingOptions
from afrd.imaging.pixels import to_linear
from afrd.inspector import Inspector
from afrd.training import TrainConfig, train


def as_grey(image: np.ndarray) -> np.ndarray:
    """[H, W, 3] uint8 to [H, W]."""
    return np.rint(image.mean(2)).astype(np.uint8)


def as_twelve_bits(image: np.ndarray) -> np.ndarray:
    return np.rint(to_linear(image / 255) * 4095).astype(np.uint16)


VARIANTS: dict[str, tuple[Callable | None, dict]] = {
    "8-bit colour": (None, {}),
    "grey": (as_grey, {}),
    "12 bits in 16, linear": (as_twelve_bits, {"bits": 12, "transfer": "linear"}),
    "gain: rig": (None, {"gain": "rig"}),
}


def rewritten(source: Path, target: Path, change: Callable) -> Path:
    """A copy of a category whose images are changed, masks as they are."""
    for path in sorted(source.rglob("*.png")):
        to = target / path.relative_to(source)
        to.parent.mkdir(parents=True, exist_ok=True)
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(to), image if "masks" in path.relative_to(source).parts else change(image))
    return target


def judged(inspector: Inspector, captures: Sequence[Capture]) -> tuple[list[bool], list[float], list[bool]]:
    found = [(capture.anomalous, inspector.inspect_capture(capture)) for capture in captures]
    return [bad for bad, _ in found], [one.score for _, one in found], [one.score > one.threshold for _, one in found]


def compared(name: str, labels: Sequence[bool], scores: Sequence[float], others: Sequence[float]) -> list[float | None]:
    """I-AUROC of scores less that of others, and the ends of its 95 % interval, paired over captures."""
    runs = {which: Runs((0,), np.array([each])) for which, each in (("these", scores), ("others", others))}
    found = areas(name, np.array(labels), runs)
    less = difference(found["these"], found["others"])
    return [None if value is None else round(value, 4) for value in (less.value, *(less.interval or (None, None)))]


def of_category(source: Path, image_size: int, seed: int) -> dict[str, dict]:
    rows, clean = {}, {}
    for name, (change, options) in VARIANTS.items():
        with tempfile.TemporaryDirectory() as folder:
            data = rewritten(source, Path(folder) / "data", change) if change else source
            config = TrainConfig(fusion="joint", image_size=image_size, seed=seed, imaging=ImagingOptions(**options))
            holdout = open_dataset(data, split="val")
            train(open_dataset(data, split="train"), Path(folder) / "run", config, holdout=holdout)
            inspector = Inspector.load(Path(folder) / "run", check_lights=False)
            plain = list(open_dataset(data, split="test").read_as(inspector.imaging))
        rng = np.random.default_rng(seed)
        darker = [replace(capture, images=apply(capture.images, "gain:0.8", rng)) for capture in plain]
        row = {}
        for what, captures in (("as they are", plain), ("all lights x 0.8", darker)):
            labels, scores, verdicts = judged(inspector, captures)
            clean.setdefault(what, {})[name] = scores
            good, bad = ([v for v, label in zip(verdicts, labels, strict=True) if label is b] for b in (False, True))
            row[what] = {
                "I-AUROC": round(image_auroc(labels, scores, resamples=2).value, 4),
                "good called anomalous": f"{sum(good)} of {len(good)}",
                "bad found": f"{sum(bad)} of {len(bad)}",
            }
            if name != "8-bit colour":
                row[what]["I-AUROC less that of 8-bit colour, 95 %"] = compared(
                    f"{source.name} {what}", labels, scores, clean[what]["8-bit colour"]
                )
        rows[name] = row
        print(source.name, name, json.dumps(row), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("categories", nargs="+")
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/pixels.json"))
    arguments = parser.parse_args()
    found = {
        name: of_category(arguments.data / name, arguments.image_size, arguments.seed) for name in arguments.categories
    }
    result = {"command": " ".join(sys.argv), "image size": arguments.image_size, "categories": found}
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()

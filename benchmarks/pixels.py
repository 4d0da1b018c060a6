"""What grey captures, 12 bits in 16 of linear light, and a moving belt cost beside the same captures as they are.

    python -m benchmarks.pixels DATA [--variants grey …] [--categories C …] [--test-split test_public] [--seed 0]
        [--reference benchmarks/results/camera] [--out benchmarks/results/pixels.json]

DATA: the 8-bit colour captures of a part that lies still whose comparison is the reference, of the default model at
256² with the same seed. The same model learns and is judged in grey (the mean of the channels, one channel in the
files), as a sensor of 12 bits gives the captures (linear light, in 16-bit files), and on a belt: each light moved to
the right by 2 pixels more than the one before, the speed off by up to a tenth from capture to capture, on average of
the lights not at all, so that masks stay; training learns the motion (`motion: constant`). Areas with intervals, 95 %;
differences to the reference are paired over captures. What the result holds is not run again.
"""

import argparse
import json
import shutil
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from benchmarks.learned import compared, learned, splits_of

from afrd.datasets import categories
from afrd.disturb.effects import displaced
from afrd.files import write_text
from afrd.imaging import ImagingOptions
from afrd.imaging.pixels import to_linear
from afrd.training import TrainConfig

RESULTS = Path(__file__).parent / "results"


def as_grey(image: np.ndarray) -> np.ndarray:
    """[H, W, 3] uint8 to [H, W]."""
    return np.rint(image.mean(2)).astype(np.uint8)


def as_twelve_bits(image: np.ndarray) -> np.ndarray:
    """[H, W, 3] uint8, sRGB, to linear counts of 0 to 4095, uint16."""
    return np.rint(to_linear(image / 255) * 4095).astype(np.uint16)


def on_a_belt(image: np.ndarray, light: float, rng: np.random.Generator) -> np.ndarray:
    """light: its place less the middle of all. rng: of the capture."""
    right = light * STEP * rng.uniform(1 - SPREAD, 1 + SPREAD)
    moved = displaced(image.astype(np.float32).transpose(2, 0, 1), right, 0)
    return np.rint(moved.transpose(1, 2, 0).clip(0, 255)).astype(np.uint8)


STEP, SPREAD = 2.0, 0.1  # pixels from light to light; of it, from capture to capture
VARIANTS: dict[str, tuple[Callable, ImagingOptions]] = {
    "grey": (lambda image, *_: as_grey(image), ImagingOptions()),
    "12 bits in 16, linear": (lambda image, *_: as_twelve_bits(image), ImagingOptions(bits=12, transfer="linear")),
    "belt, 2 px a light": (on_a_belt, ImagingOptions(motion="constant")),
}


def rewritten(source: Path, category: str, target: Path, change: Callable) -> Path:
    """A copy of a data set's category in the Eyecandies layout whose lights are changed, all else as it is."""
    shutil.copytree(source / category, target / category)
    for path in source.glob("*.yaml"):
        shutil.copy(path, target / path.name)
    paths = sorted((target / category).rglob("*_image_*.png"))
    middle = max(int(path.stem.split("_image_")[1]) for path in paths) / 2
    for path in paths:
        capture, light = path.stem.split("_image_")
        rng = np.random.default_rng(zlib.crc32(f"{path.parent.parent.name}/{capture}".encode()))
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(path), change(image, int(light) - middle, rng))
    return target


def of_variant(source: Path, category: str, variant: str, test: str, seed: int, reference: dict) -> dict:
    change, options = VARIANTS[variant]
    with tempfile.TemporaryDirectory() as folder:
        data = rewritten(source, category, Path(folder), change)
        as_it_gives_maps = TrainConfig(fusion="joint", seed=seed, imaging=options, map_sigma=0)  # as the reference has
        found, figures = learned(splits_of(data, category, test), as_it_gives_maps)
    whole = {"I-AUROC": "image_auroc", "P-AUROC": "pixel_auroc", "AU-PRO": "au_pro"}
    return figures | {
        "as they are": {name: round(reference[key], 4) for name, key in whole.items()},
        "I-AUROC less that": compared(found, {one["id"]: one["score"] for one in reference["captures"]}),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--variants", nargs="*", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--categories", nargs="*")
    parser.add_argument("--test-split", default="test_public")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reference", type=Path, default=RESULTS / "camera")
    parser.add_argument("--out", type=Path, default=RESULTS / "pixels.json")
    arguments = parser.parse_args()
    result = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    rows = map(json.loads, (arguments.reference / "results.jsonl").read_text().splitlines())
    reference = {row["category"]: row for row in rows if row["job"]["seed"] == arguments.seed}
    for variant in arguments.variants:
        found = result.setdefault(variant, {})
        for category in arguments.categories or categories(arguments.data):
            if category not in found:
                test, known = arguments.test_split, reference[category]
                found[category] = of_variant(arguments.data, category, variant, test, arguments.seed, known)
                write_text(arguments.out, json.dumps(result, indent=1) + "\n")
                print(variant, category, json.dumps(found[category]), flush=True)


if __name__ == "__main__":
    main()

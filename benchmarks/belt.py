"""What a belt that moves two pixels from light to light costs, when training learns the motion.

    python -m benchmarks.belt DATA [--categories C …] [--test-split test_public] [--step 2] [--seed 0]
        [--out benchmarks/results/belt.json]

DATA: captures of a part that lies still, for example of `afrd render`. Each light of every capture is moved to the
right by --step pixels more than the one before, the speed off by up to a tenth from capture to capture; on average of
the lights nothing moves, so masks stay. The default model at 256² learns them with `motion: constant`. Areas with
intervals, 95 %, to be set beside those of the same captures unmoved (benchmarks/pixels.py, 8-bit colour). What the
result holds of a category is not run again.
"""

import argparse
import json
import shutil
import tempfile
import zlib
from pathlib import Path

import cv2
import numpy as np

from afrd.datasets import categories, open_dataset
from afrd.disturb.effects import displaced
from afrd.evaluation import evaluate
from afrd.files import write_text
from afrd.imaging import ImagingOptions
from afrd.inspector import Inspector
from afrd.training import TrainConfig, train

SPREAD = 0.1  # of the speed, from capture to capture


def on_a_belt(source: Path, category: str, target: Path, step: float) -> Path:
    """A copy of a data set's category in the Eyecandies layout, its lights moved."""
    shutil.copytree(source / category, target / category)
    for path in source.glob("*.yaml"):
        shutil.copy(path, target / path.name)
    paths = sorted((target / category).rglob("*_image_*.png"))
    middle = max(int(path.stem.split("_image_")[1]) for path in paths) / 2
    for path in paths:
        capture, light = path.stem.split("_image_")
        rng = np.random.default_rng(zlib.crc32(f"{path.parent.parent.name}/{capture}".encode()))
        right = (int(light) - middle) * step * rng.uniform(1 - SPREAD, 1 + SPREAD)
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED).astype(np.float32).transpose(2, 0, 1)
        moved = displaced(image, right, 0).transpose(1, 2, 0)
        cv2.imwrite(str(path), np.rint(moved.clip(0, 255)).astype(np.uint8))
    return target


def of_category(source: Path, category: str, test: str, step: float, seed: int) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        data = on_a_belt(source, category, Path(folder) / "data", step)
        splits = {split: open_dataset(data, category, split) for split in ("train", "val", test)}
        config = TrainConfig(fusion="joint", seed=seed, imaging=ImagingOptions(motion="constant"))
        card = train(splits["train"], Path(folder) / "run", config, holdout=splits["val"])
        found = evaluate(Inspector.load(Path(folder) / "run"), splits[test])
    areas = (
        ("I-AUROC", found.metrics.image_auroc),
        ("P-AUROC", found.metrics.pixel_auroc),
        ("AU-PRO", found.metrics.au_pro),
    )
    return {name: [round(v, 4) for v in (area.value, area.low, area.high)] for name, area in areas} | {
        "good called anomalous": f"{sum(one.outcome == 'false alarm' for one in found.captures)} of {found.n_good}",
        "bad found": f"{sum(one.outcome == 'found' for one in found.captures)} of {found.n_bad}",
        "light faults": sum(not one.judged for one in found.captures),
        "farthest shift undone in training, px": round(card.imaging.motion.farthest, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--categories", nargs="*")
    parser.add_argument("--test-split", default="test_public")
    parser.add_argument("--step", type=float, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "belt.json")
    arguments = parser.parse_args()
    result = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    for category in arguments.categories or categories(arguments.data):
        if category not in result:
            result[category] = of_category(
                arguments.data, category, arguments.test_split, arguments.step, arguments.seed
            )
            write_text(arguments.out, json.dumps(result, indent=1) + "\n")
            print(category, json.dumps(result[category]), flush=True)


if __name__ == "__main__":
    main()

"""Small defects in large pictures: one squashed square beside tiles, the same captures and settings otherwise.

    python benchmarks/full_resolution.py DATA [--categories C …] [--test-split test_public] [--tile 256]
        [--seed 0] [--out benchmarks/results/full_resolution.json]

DATA: for example `afrd render DATA --size 2048 --defect-size 10..30`. The default model, with the capture as one square
of 256 px and in tiles of --tile px of the part alone (`roi: auto`). With intervals, 95 %. Seconds are of the processor.
What the result holds of a category is not run again.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from afrd.datasets import CaptureSet, categories, open_dataset
from afrd.evaluation import evaluate
from afrd.files import write_text
from afrd.imaging import ImagingOptions
from afrd.inspector import Inspector
from afrd.training import TrainConfig, train

SQUARE = 256


def of_options(options: ImagingOptions, splits: dict[str, CaptureSet], seed: int) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        config = TrainConfig(fusion="joint", image_size=SQUARE, seed=seed, imaging=options)
        train(splits["train"], Path(folder) / "run", config, holdout=splits["val"])
        learned = time.process_time()
        found = evaluate(Inspector.load(Path(folder) / "run", check_lights=False), splits["test"])
    areas = {
        name: [round(value, 4) for value in (each.value, each.low, each.high)]
        for name, each in (
            ("I-AUROC", found.metrics.image_auroc),
            ("P-AUROC", found.metrics.pixel_auroc),
            ("AU-PRO", found.metrics.au_pro),
        )
    }
    return areas | {
        "good called anomalous": f"{sum(one.outcome == 'false alarm' for one in found.captures)} of {found.n_good}",
        "bad found": f"{sum(one.outcome == 'found' for one in found.captures)} of {found.n_bad}",
        "seconds of learning": round(learned - start, 1),
        "seconds of a capture, read and judged": round((time.process_time() - learned) / len(found.captures), 2),
    }


def across(captures: CaptureSet) -> list[int]:
    """Smallest, median and largest of the defects' longer sides, in pixels."""
    sides = [max(np.ptp(at) + 1 for at in np.nonzero(each.mask)) for each in captures if each.anomalous]
    return [int(value) for value in (min(sides), np.median(sides), max(sides))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--categories", nargs="*")
    parser.add_argument("--test-split", default="test_public")
    parser.add_argument("--tile", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "full_resolution.json")
    arguments = parser.parse_args()
    result = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    tiled = ImagingOptions(tile=arguments.tile, roi="auto")
    for name in arguments.categories or categories(arguments.data):
        splits = {
            split: open_dataset(arguments.data, name, arguments.test_split if split == "test" else split)
            for split in ("train", "val", "test")
        }
        row = result.setdefault(name, {})
        row["captures"] = {split: len(captures) for split, captures in splits.items()}
        row["size"], row["defects, px"] = list(splits["test"][0].size), across(splits["test"])
        for what, options in (("one square", ImagingOptions()), (f"tiles of {arguments.tile} px", tiled)):
            if what not in row:
                row[what] = of_options(options, splits, arguments.seed)
                write_text(arguments.out, json.dumps(result, indent=1) + "\n")
                print(name, what, json.dumps(row[what]), flush=True)


if __name__ == "__main__":
    main()

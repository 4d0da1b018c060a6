"""Small defects in large pictures: one squashed square beside tiles, the same captures and settings otherwise.

    python -m benchmarks.full_resolution DATA [--categories C …] [--test-split test_public] [--tile 256]
        [--seed 0] [--out benchmarks/results/full_resolution.json]

DATA: for example `afrd render DATA --size 2048 --defect-size 10..30`. The default model, with the capture as one square
of 256 px and in tiles of --tile px of the part alone (`roi: auto`). With intervals, 95 %. Seconds are of the processor.
What the result holds of a category is not run again.
"""

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
from benchmarks.learned import learned, splits_of

from afrd.datasets import CaptureSet, categories
from afrd.files import write_text
from afrd.imaging import ImagingOptions
from afrd.training import TrainConfig

SQUARE = 256


def across(captures: CaptureSet) -> list[int]:
    """Of each bad part the longer side of its largest defect, in pixels: the smallest, the median, the largest."""
    masks = [each.mask.astype(np.uint8) for each in captures if each.anomalous]
    pieces = [cv2.connectedComponentsWithStats(mask)[2][1:] for mask in masks]
    sides = [of[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max() for of in pieces]
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
        splits = splits_of(arguments.data, name, arguments.test_split)
        row = result.setdefault(name, {})
        row["captures"] = {split: len(captures) for split, captures in splits.items()}
        row["size"], row["defects, px"] = list(splits["test"][0].size), across(splits["test"])
        for what, options in (("one square", ImagingOptions()), (f"tiles of {arguments.tile} px", tiled)):
            if what not in row:
                config = TrainConfig(fusion="joint", image_size=SQUARE, seed=arguments.seed, imaging=options)
                _, row[what] = learned(splits, config)
                write_text(arguments.out, json.dumps(result, indent=1) + "\n")
                print(name, what, json.dumps(row[what]), flush=True)


if __name__ == "__main__":
    main()

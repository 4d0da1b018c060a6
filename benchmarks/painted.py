"""The picture of painted defects in docs/method.md.

    python benchmarks/painted.py DATA docs/images/painted.png [CLASS …]

One training capture a class, of six lights: all spots, bottom, right, light box; and where the defects are. Prints what
the painter has seen of the lights: azimuths in degrees, nan for a light from no side; what the others make up of each
such light.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from afrd.datasets import open_dataset
from afrd.training.defect_painter import DefectPainter

SHOWN = (0, 1, 2, 5)


def row(data: Path, category: str) -> np.ndarray:
    """[S, 5 S, 3] uint8."""
    captures = [capture.images.astype(np.float32) / 255 for capture in open_dataset(data, category, "train")]
    painter = DefectPainter.learn(captures)
    azimuths = np.degrees(np.arctan2(painter.directions[:, 1], painter.directions[:, 0]))
    print(category, azimuths.round(1), *painter.mixture[np.isnan(azimuths)].round(2), flush=True)
    painted, cover = painter.paint(captures[0], np.random.default_rng(5))
    shown = [*painted[list(SHOWN)].transpose(0, 2, 3, 1), np.repeat(cover[..., None], 3, 2)]
    return np.rint(255 * np.concatenate(shown, 1)).astype(np.uint8)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("classes", nargs="*", default=["HazelnutTruffle", "PeppermintCandy", "Lollipop"])
    options = parser.parse_args()
    Image.fromarray(np.concatenate([row(options.data, name) for name in options.classes])).save(options.out)

"""Relighting the light that is left out, on real photographs of flat materials under nine flash positions.

    python benchmarks/relight.py SHEETS > benchmarks/results/relight.json

SHEETS: folder of <material>.jpg, 3 × 3 photographs a sheet, as for benchmarks/flats.py. For each light k of each
material: its photograph against what the other eight give, PSNR in decibels of the coded values. `linear per place`
solves each place for the light that makes it best from the others' linear values, with one set of weights per material
learned on every fourth place and judged on the others; `lambert` is photometric stereo with near lights on a grid
(`GRID`, `HEIGHT`: the paper's, in widths of the picture; only its own brightness is fitted); `nearest` is the other
light whose photograph is nearest, chosen by the true photograph, and `mean` that of all others. A figure is the mean
over the nine lights. Row by row, positions are assumed to be a grid seen from the part's centre.
"""

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from afrd.imaging.pixels import to_linear, to_srgb
from afrd.views.photometric import PhotometricStereo, facing
from afrd.views.relight import Relighting

SIDE = 256  # of a photograph, pixels
GRID, HEIGHT = 0.35, 1.0  # step between flash positions and their height, widths of the picture
POSITIONS = [(GRID * (c - 1), GRID * (1 - r), HEIGHT) for r in range(3) for c in range(3)]


def psnr(found: np.ndarray, true: np.ndarray) -> float:
    """Decibels between pictures in 0..1."""
    return float(-10 * np.log10(np.mean((found - true) ** 2) + 1e-12))


def photographs(path: Path) -> np.ndarray:
    """[9, 3, SIDE, SIDE] in 0..1, coded."""
    sheet = Image.open(path).convert("RGB")
    side = sheet.size[0] // 3
    boxes = [(x * side, y * side, (x + 1) * side, (y + 1) * side) for y in range(3) for x in range(3)]
    images = [np.asarray(sheet.crop(box).resize((SIDE, SIDE), Image.BOX)) for box in boxes]
    return np.stack(images).transpose(0, 3, 1, 2).astype(np.float32) / 255


def lambert(coded: np.ndarray, missing: int) -> np.ndarray:
    distances = [float(np.linalg.norm(p)) for p in POSITIONS]
    directions = [tuple(np.array(p) / d) for p, d in zip(POSITIONS, distances, strict=True)]
    others = [k for k in range(9) if k != missing]
    stereo = PhotometricStereo([directions[k] for k in others], distance=[distances[k] for k in others])
    shape = stereo(coded[others])
    there = PhotometricStereo(directions, distance=distances)._lights(SIDE, SIDE)[[missing]]
    made = shape.albedo * facing(there, shape.normals).clip(min=0)
    true = to_linear(coded[missing])
    return to_srgb(made * float((made * true).sum() / (made * made).sum()))


def of_material(path: Path) -> dict[str, float]:
    coded = photographs(path)
    rows = {name: [] for name in ("linear per place", "lambert", "nearest", "mean")}
    held_out = np.ones((SIDE, SIDE), bool)
    held_out[::2, ::2] = False
    for k in range(9):
        others = [i for i in range(9) if i != k]
        learned = Relighting.learn([coded[:, :, ::2, ::2]], k)
        made = {
            "linear per place": learned(coded[others]),
            "lambert": lambert(coded, k),
            "nearest": max((coded[i] for i in others), key=lambda other: psnr(other, coded[k])),
            "mean": to_srgb(to_linear(coded[others]).mean(0)),
        }
        for name, picture in made.items():
            rows[name].append(psnr(picture[:, held_out], coded[k][:, held_out]))
    return {name: round(float(np.mean(values)), 2) for name, values in rows.items()}


def main(sheets: Path) -> None:
    found = {path.stem: of_material(path) for path in sorted(sheets.glob("*.jpg"))}
    if not found:
        raise SystemExit(f"{sheets}: no <material>.jpg in it")
    over = {
        name: round(float(np.mean([each[name] for each in found.values()])), 2) for name in next(iter(found.values()))
    }
    print(json.dumps({"side": SIDE, "mean_over_materials": over, **found}, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

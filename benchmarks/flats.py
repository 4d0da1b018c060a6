"""Real captures with exact masks: patches of flat materials under nine lights, bad ones with a blob of another one.

    python benchmarks/flats.py SHEETS OUT [--seed S] [--blobs faint|strong]

SHEETS: folder of <material>.jpg, one a material: 3 × 3 photographs under nine flash positions, row by row, as in the
captures of MaterialGAN (Guo et al. 2020). OUT/<material> gets the layout of a user's own folders: 40 good patches of
128² in train, 8 in val, and in test 16 good ones, each of which three times over with a blob (`foreign`), with masks.
The mean colour of a blob is matched in linear light over all lights, so that only its texture differs, and how it
answers the lights. What is drawn follows from the seed and the place of the material in `PAIRS`.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

PAIRS = {  # material: what the blobs in it are made of
    "leather-brown": "rubber-pattern",
    "wood-alder": "wood-laminate",
    "wall-plaster-white": "wall-red-bump",
    "stone-spec-shiny": "bathroomtile1",
    "giftbag1": "cards-red",
    "plastic-foam": "book1",
}
SIDE, CELL = 1024, 128  # of a photograph and of a patch, pixels
TRAIN, VAL = 40, 8  # patches; the others are tested
GAMMA = 2.2


@dataclass(frozen=True)
class Blobs:
    """radius: least and largest, pixels, log-uniform. cover: least and largest share of the blob's own colour."""

    radius: tuple[float, float]
    cover: tuple[float, float]


BLOBS = {"faint": Blobs((3, 9), (0.1, 0.4)), "strong": Blobs((4, 11), (0.35, 0.8))}
PER_PATCH = 3


def photographs(sheets: Path, material: str) -> np.ndarray:
    """[9, SIDE, SIDE, 3] uint8, one a flash position. Exits where the sheet is missing."""
    path = sheets / f"{material}.jpg"
    if not path.is_file():
        raise SystemExit(
            f"{path}: not there; give the folder of the sheets {', '.join(sorted({*PAIRS, *PAIRS.values()}))}"
        )
    picture = Image.open(path).convert("RGB")
    side = picture.size[0] // 3
    boxes = [(x * side, y * side, (x + 1) * side, (y + 1) * side) for y in range(3) for x in range(3)]
    return np.stack([np.asarray(picture.crop(box).resize((SIDE, SIDE), Image.BICUBIC)) for box in boxes])


def blob(rng: np.random.Generator, radii: tuple[float, float]) -> np.ndarray:
    """How far each pixel is inside of three lobes, [CELL, CELL], 0 to 1."""
    radius = np.exp(rng.uniform(*np.log(radii)))
    centre = rng.uniform(radius + 4, CELL - radius - 4, 2)
    rows, columns = np.mgrid[:CELL, :CELL] - centre[:, None, None]
    edge = radius * (1 + 0.25 * np.sin(3 * np.arctan2(rows, columns) + rng.uniform(0, 6.3)))
    return np.clip((edge - np.hypot(rows, columns)) / 1.5 + 0.5, 0, 1)


def with_blob(
    good: np.ndarray, other: np.ndarray, rng: np.random.Generator, blobs: Blobs
) -> tuple[np.ndarray, np.ndarray]:
    """good, other: patches [9, CELL, CELL, 3] uint8. Returns the first with a blob of the other, and its mask."""
    inside = blob(rng, blobs.radius)
    share = inside[None, ..., None]
    part, foreign = good.astype(float) ** GAMMA, other.astype(float) ** GAMMA
    foreign *= (part * share).sum((0, 1, 2)) / ((foreign * share).sum((0, 1, 2)) + 1e-9)
    cover = rng.uniform(*blobs.cover) * share
    mixed = np.clip(part * (1 - cover) + foreign * cover, 0, 255**GAMMA) ** (1 / GAMMA)
    return (mixed + 0.5).astype(np.uint8), inside > 0.5


def write_capture(folder: Path, lights: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, light in enumerate(lights, 1):
        Image.fromarray(light).save(folder / f"{number}.png")


def write_material(out: Path, good: np.ndarray, other: np.ndarray, rng: np.random.Generator, blobs: Blobs) -> None:
    """good, other: photographs of the material and of what its blobs are made of."""
    cells = [(y, x) for y in range(0, SIDE, CELL) for x in range(0, SIDE, CELL)]
    rng.shuffle(cells)
    (out / "masks" / "foreign").mkdir(parents=True, exist_ok=True)
    for i, (y, x) in enumerate(cells):
        patch = np.s_[:, y : y + CELL, x : x + CELL]
        split = "train" if i < TRAIN else "val" if i < TRAIN + VAL else "test"
        write_capture(out / split / "good" / f"{i:02d}", good[patch])
        for k in range(PER_PATCH if split == "test" else 0):
            bad, mask = with_blob(good[patch], other[patch], rng, blobs)
            write_capture(out / "test" / "foreign" / f"{i:02d}_{k}", bad)
            Image.fromarray((mask * 255).astype(np.uint8)).save(out / "masks" / "foreign" / f"{i:02d}_{k}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sheets", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--blobs", choices=BLOBS, default="faint", help="strong: larger, and more of their own colour")
    arguments = parser.parse_args()
    for number, (material, foreign) in enumerate(PAIRS.items()):
        rng = np.random.default_rng((arguments.seed, number))
        sheets = (photographs(arguments.sheets, name) for name in (material, foreign))
        write_material(arguments.out / material, *sheets, rng, BLOBS[arguments.blobs])
        print(material)


if __name__ == "__main__":
    main()

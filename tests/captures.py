"""Tiny synthetic data sets, written to disk in each real layout, together with the arrays that were written.

A capture is a smooth disc with fine texture, shaded by each light; a defect is a small patch with another surface. Good
enough to be decoded, and for a model to have something to learn; it looks like nothing real.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import yaml
from PIL import Image

EYECANDIES_LIGHTS = ("all_spots", "bottom", "right", "top", "left", "light_box")
DEFECTS = ("bumps", "colors", "dents", "normals")


@dataclass(frozen=True)
class Written:
    """What one capture holds on disk: images [N, 3, H, W] uint8, label, defect type (or None) and mask [H, W] bool."""

    id: str
    images: np.ndarray
    anomalous: bool
    defect: str | None
    mask: np.ndarray


def make_capture(rng: np.random.Generator, lights: int = 6, size: int = 32, defect: bool = False) -> tuple:
    """(images [N, 3, H, W] uint8, mask [H, W] bool)."""
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j] + rng.uniform(-0.1, 0.1, (2, 1, 1))
    height = np.sqrt(np.clip(0.8 - x**2 - y**2, 0, None)) + 0.02 * rng.standard_normal((size, size))
    mask = np.zeros((size, size), bool)
    if defect:
        side = max(size // 5, 2)
        row, column = rng.integers(size // 3, 2 * size // 3 - side // 2, 2)
        mask[row : row + side, column : column + side] = True
        height = height + mask * 0.3 * rng.standard_normal((size, size))
    slope_y, slope_x = np.gradient(height, 2 / size)
    colour = np.array([0.9, 0.6, 0.4])[:, None, None] * (1 + 0.05 * rng.standard_normal())
    angles = 2 * np.pi * np.arange(lights) / lights
    shading = [0.5 + 0.2 * (np.cos(a) * slope_x + np.sin(a) * slope_y) * (height > 0) for a in angles]
    images = np.stack([np.clip(255 * colour * shade, 0, 255).astype(np.uint8) for shade in shading])
    return images, mask


def mosaic(rgb: np.ndarray, red: tuple[int, int] = (0, 0)) -> np.ndarray:
    """[H, W, 3] as a colour sensor without processing gives it, [H, W] uint8. red: position within 2 × 2 pixels."""
    raw = rgb[..., 1].copy()
    blue = (1 - red[0], 1 - red[1])
    for channel, (y, x) in ((0, red), (2, blue)):
        raw[y::2, x::2] = rgb[y::2, x::2, channel]
    return raw.astype(np.uint8)


def write_image(path: Path, image: np.ndarray) -> None:
    """Write an image [3, H, W] or [H, W], uint8, bool or (PNG or TIFF) uint16; the suffix chooses the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if image.dtype == np.uint16:
        assert cv2.imwrite(str(path), image if image.ndim == 2 else image[::-1].transpose(1, 2, 0))
        return
    pixels = image.astype(np.uint8) * 255 if image.dtype == bool else image
    Image.fromarray(pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(1, 2, 0))).save(path)


def write_lights(path: Path, names: Sequence[str], directions: Mapping[str, Sequence[float]] | None = None) -> None:
    """Write a `lights.yaml`."""
    lights = [{"name": name, "direction": list(d) if (d := (directions or {}).get(name)) else None} for name in names]
    path.write_text(yaml.safe_dump({"lights": lights}, sort_keys=False))


def write_eyecandies(
    root: Path,
    classes: Sequence[str] = ("Confetto",),
    counts: Mapping[str, tuple[int, int]] | None = None,
    *,
    size: int = 32,
    lights: int = 6,
    seed: int = 0,
    width: int = 3,
) -> dict[tuple[str, str, str], Written]:
    """Write `<class>/<split>/data/<index>_<item>`; returns (class, split, id) → what was written.

    counts: split → (good, anomalous); anomalous captures come last and show bumps, colors, dents, normals in turn.
    width: digits of the index. Files that a reader should leave alone are written as well.
    """
    counts = counts or {"train": (4, 0), "val": (2, 0), "test_public": (3, 3)}
    rng = np.random.default_rng(seed)
    written = {}
    for name in classes:
        for split, (good, bad) in counts.items():
            data = root / name / split / "data"
            data.mkdir(parents=True, exist_ok=True)
            for index in range(good + bad):
                defect = DEFECTS[(index - good) % 4] if index >= good else None
                images, mask = make_capture(rng, lights, size, defect is not None)
                stem = f"{index:0{width}d}"
                for k, image in enumerate(images):
                    write_image(data / f"{stem}_image_{k}.png", image)
                write_image(data / f"{stem}_depth.png", images[0, 0])
                write_image(data / f"{stem}_normals.png", images[0])
                (data / f"{stem}_pose.txt").write_text("1 0 0 0\n")
                (data / f"{stem}_info_depth.yaml").write_text("normalization: {min: 0.1, max: 0.9}\n")
                (data / f"{stem}_obj_params.yaml").write_text("seed: 1\n")
                written[name, split, stem] = Written(stem, images, defect is not None, defect, mask)
                if split == "test_private":
                    continue
                for each in DEFECTS:
                    write_image(data / f"{stem}_{each}_mask.png", mask & (each == defect))
                write_image(data / f"{stem}_mask.png", mask)
                flags = {"anomalous": int(defect is not None), **{each: int(each == defect) for each in DEFECTS}}
                (data / f"{stem}_metadata.yaml").write_text(yaml.safe_dump(flags))
    return written


def write_folder(
    root: Path,
    counts: Mapping[str, Mapping[str, int]] | None = None,
    *,
    lights: Sequence[str] = ("left", "right", "top"),
    size: int = 32,
    seed: int = 0,
    pattern: str = "{id}/{light}.png",
    masks: bool = True,
) -> dict[tuple[str, str], Written]:
    """Write one category of a user's own folders; returns (split, `<label>-<own id>`) → what was written.

    counts: split → label → number of captures; own ids are 000, 001, … in every label. Add `lights.yaml` yourself.
    """
    counts = counts or {"train": {"good": 4}, "val": {"good": 2}, "test": {"good": 3, "scratch": 2, "stain": 1}}
    rng = np.random.default_rng(seed)
    written = {}
    for split, labels in counts.items():
        for label, count in labels.items():
            for index in range(count):
                own = f"{index:03d}"
                images, mask = make_capture(rng, len(lights), size, label != "good")
                for light, image in zip(lights, images, strict=True):
                    write_image(root / split / label / pattern.format(id=own, light=light), image)
                if label != "good" and masks:
                    write_image(root / "masks" / label / f"{own}.png", mask)
                defect = None if label == "good" else label
                written[split, f"{label}-{own}"] = Written(f"{label}-{own}", images, defect is not None, defect, mask)
    return written

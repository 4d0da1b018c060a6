"""Anomaly maps as 16-bit PNG, with their scale in the file."""

from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from afrd.errors import DatasetError, ModelError
from afrd.files import atomic_path

FULL = 65535
MAP_SCALE = 10_000.0  # a step is 0.0001; values to 6.55: cosine distances of three levels reach 6, the joint model 6.5


def fitting_scale(anomaly_map: np.ndarray) -> float:
    """`MAP_SCALE`, or less where the map's values take it."""
    return min(MAP_SCALE, (FULL - 1) / max(float(np.max(anomaly_map)), 1e-6))


def write_map_png16(
    path: Path,
    anomaly_map: np.ndarray,
    scale: float = MAP_SCALE,
    *,
    threshold: float | None = None,
    fast: bool = False,
    flush_name: bool = True,
) -> None:
    """Write an [H, W] map as 16-bit grey PNG: stored = round(value · scale), so value = stored / scale.

    The scale and, where given, the threshold (in the map's unit, not scaled) stand in the PNG text chunks `afrd:scale`
    and `afrd:threshold`. fast: less time and a larger file. flush_name: see `atomic_path`.
    Raises ModelError where a value is negative, not finite, or does not fit 16 bits.
    """
    low, high = float(np.min(anomaly_map)), float(np.max(anomaly_map))
    if not (np.isfinite(low) and np.isfinite(high)) or low < 0 or high * scale > FULL:
        raise ModelError(
            f"{path}: map values from {low:g} to {high:g} do not fit a 16-bit PNG at scale {scale:g}, which holds 0 to "
            f"{FULL / scale:g}; use a smaller scale, or store the map as npy"
        )
    notes = PngImagePlugin.PngInfo()
    notes.add_text("afrd:scale", repr(float(scale)))
    if threshold is not None:
        notes.add_text("afrd:threshold", repr(float(threshold)))
    stored = np.rint(np.asarray(anomaly_map, dtype=np.float64) * scale).astype(np.uint16)
    with atomic_path(path, flush_name) as temporary:
        options = {"compress_level": 1} if fast else {"optimize": True}
        Image.fromarray(stored).save(temporary, format="PNG", pnginfo=notes, **options)


def read_map_png16(path: Path) -> tuple[np.ndarray, float, float | None]:
    """([H, W] float32 map, scale, threshold or None) of a file written by `write_map_png16`."""
    with Image.open(path) as image:
        notes = image.text if image.format == "PNG" else {}
        if "afrd:scale" not in notes or not image.mode.startswith("I"):
            raise DatasetError(f"{path}: no 16-bit anomaly map; expected a PNG written by `afrd predict`")
        scale = float(notes["afrd:scale"])
        stored = np.asarray(image).astype(np.float64)
    threshold = float(notes["afrd:threshold"]) if "afrd:threshold" in notes else None
    return (stored / scale).astype(np.float32), scale, threshold

"""Pictures for people: the map as colour over a light, thumbnails, and images of any format as PNG."""

import functools
import io
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from afrd.datasets.images import read_image
from afrd.map_png import read_map_png16

THUMBNAIL_FILE = "thumbnail.jpg"
_THUMBNAIL_SIDE = 192


def thumbnail(images: np.ndarray) -> bytes:
    """The mean of all lights, [N, 3, H, W] uint8 or uint16, as a small JPEG."""
    step = max(1, min(images.shape[-2:]) // (2 * _THUMBNAIL_SIDE))
    mean = images[:, :, ::step, ::step].mean(axis=0, dtype=np.float32).transpose(1, 2, 0)
    mean = mean / 257 if images.dtype == np.uint16 else mean
    scale = min(1, _THUMBNAIL_SIDE / max(mean.shape[:2]))
    size = [max(1, round(n * scale)) for n in mean.shape[1::-1]]
    buffer = io.BytesIO()
    Image.fromarray(np.rint(cv2.resize(mean, size, interpolation=cv2.INTER_AREA)).astype(np.uint8)).save(
        buffer, "JPEG", quality=80
    )
    return buffer.getvalue()


def map_overlay(path: Path, threshold: float) -> bytes:
    """A stored map as PNG to lie over a light: clear up to half the threshold, opaque towards it, its border white.

    The same colours as in reports, whose middle is the threshold.
    """
    anomaly_map, _, _ = read_map_png16(path)
    shade = np.clip(anomaly_map / (2 * threshold), 0, 1)
    picture = np.empty((*shade.shape, 4), np.uint8)
    picture[..., :3] = _colours()[np.rint(shade * 255).astype(np.uint8)]
    picture[..., 3] = np.rint(255 * np.clip(2 * anomaly_map / threshold - 1, 0, 1))
    contours, _ = cv2.findContours((anomaly_map > threshold).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, contours, -1, (255, 255, 255, 255), max(1, max(shade.shape) // 320))
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def as_png(path: Path) -> bytes:
    """An image that was taken, in whichever format, as PNG of the same depth."""
    return cv2.imencode(".png", read_image(path).transpose(1, 2, 0)[..., ::-1])[1].tobytes()


@functools.cache
def _colours() -> np.ndarray:
    """[256, 3] uint8."""
    import matplotlib

    from afrd.evaluation.visual import COLOUR_MAP

    return matplotlib.colormaps[COLOUR_MAP](np.arange(256), bytes=True)[:, :3]

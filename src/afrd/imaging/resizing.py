"""To the size at which a model looks, in linear light: what the eye of a camera with larger pixels would have seen.

Averaging coded values would darken fine bright detail. Shrinking averages over areas, enlarging is bilinear, both
sampled at pixel centres. Pictures that have the size already are not touched, and so keep their exact values.
"""

from functools import lru_cache

import cv2
import numpy as np

from afrd.imaging.interleaved import interleaved, planar
from afrd.imaging.pixels import to_linear, to_srgb

SLIVER = 1e-3  # of a pixel, up to which OpenCV leaves out what a larger one holds of it
_STRIP = 64  # rows whose linear light stays in the processor's caches
_LARGE = 1 << 20  # pixels, from which it pays


def resize(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """images: [..., C, H, W], uint8 or uint16 in the common form (`afrd.imaging.pixels`), C 1 or 3.

    Returns [..., C, *size] float32 in [0, 1], as contiguous memory.
    """
    full = np.iinfo(images.dtype).max
    if images.shape[-2:] == size:
        return np.ascontiguousarray(images).astype(np.float32) / np.float32(full)
    out = np.empty((*images.shape[:-2], *size), np.float32)
    light = _light(images.dtype.name)
    for one, into in zip(images.reshape(-1, *images.shape[-3:]), out.reshape(-1, *out.shape[-3:]), strict=True):
        # one picture at a time, so that memory stays small
        picture = interleaved(one)
        if picture.shape[0] * picture.shape[1] > _LARGE and picture.shape[0] >= size[0] and picture.shape[1] >= size[1]:
            shrunk = _shrunk(picture, light, size)
        else:
            shrunk = _resized(_looked_up(picture, light), size)
        into[...] = planar(to_srgb(shrunk))
    return out


def _shrunk(picture: np.ndarray, light: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Of linear light, rows first narrowed strip by strip and then averaged: its light is never there as a whole."""
    narrow = np.empty((len(picture), size[1], *picture.shape[2:]), np.float32)
    for start in range(0, len(picture), _STRIP):
        strip = _looked_up(picture[start : start + _STRIP], light)
        narrow[start : start + len(strip)] = _resized(strip, (len(strip), size[1]))
    return _resized(narrow, size)


def _looked_up(picture: np.ndarray, light: np.ndarray) -> np.ndarray:
    return cv2.LUT(picture, light) if picture.dtype == np.uint8 else light[picture]


def _resized(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """[H, W] or [H, W, C] float32 to size."""
    (height, width), (rows, columns) = picture.shape[:2], size
    if (rows <= height) == (columns <= width):
        how = cv2.INTER_AREA if rows <= height else cv2.INTER_LINEAR
        return cv2.resize(picture, (columns, rows), interpolation=how)
    planes = [along(height, rows) @ plane @ along(width, columns).T for plane in planar(picture)]
    return planes[0] if picture.ndim == 2 else np.stack(planes, -1)


@lru_cache
def along(before: int, after: int) -> np.ndarray:
    """[after, before] float32: what resizing does along one axis, as a matrix; rows sum to 1, or a sliver less."""
    edges = np.arange(after + 1) * (before / after)
    if after <= before:  # how much of each pixel lies in each of the larger ones
        pixels = np.arange(before)
        overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
        weights = np.where(overlap > SLIVER, overlap, 0) * (after / before)
    else:
        at = ((edges[1:] + edges[:-1]) / 2 - 0.5).clip(0, before - 1)
        low = np.minimum(at.astype(int), max(before - 2, 0))
        weights = np.zeros((after, before))
        weights[np.arange(after), low] += 1 - (at - low)
        weights[np.arange(after), np.minimum(low + 1, before - 1)] += at - low
    weights = weights.astype(np.float32)
    weights.setflags(write=False)
    return weights


@lru_cache
def _light(kind: str) -> np.ndarray:
    """Linear light of each value of the type; not in whole numbers, which would not be what exported graphs have."""
    full = np.iinfo(kind).max
    table = to_linear(np.arange(full + 1) / full).astype(np.float32)
    table.setflags(write=False)
    return table

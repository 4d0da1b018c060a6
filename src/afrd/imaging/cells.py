"""The lights of a capture as 8 × 8 cells: what the checks of lights, rig and gain look at."""

from itertools import pairwise

import cv2
import numpy as np

from afrd.imaging.interleaved import interleaved

CELLS = 8
THINNED = 128  # rows and columns that `channel_means` goes by, at least
FULL = 254.5 / 255  # of the full scale: a pixel at or above it is saturated in 8 and in 16 bit


def measure(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean grey of 8 × 8 cells, [N, 64], 0 to 1; share of pixels with a saturated channel, [N]."""
    full = float(np.iinfo(images.dtype).max)
    channels, *size = images.shape[1:]
    rows, columns = (list(pairwise(np.linspace(0, length, CELLS + 1).astype(int))) for length in size)
    cells = np.array([(bottom - top) * (right - left) for top, bottom in rows for left, right in columns])
    below = (np.ceil(FULL * full) - 1,) * channels
    sums, saturated = np.empty((len(images), CELLS**2)), np.empty(len(images))
    for k, image in enumerate(images):
        picture = interleaved(image)
        sums[k] = [sum(cv2.sumElems(picture[slice(*y), slice(*x)])) for y in rows for x in columns]
        saturated[k] = 1 - cv2.countNonZero(cv2.inRange(picture, (0,) * channels, below)) / np.prod(size)
    return sums / (channels * full * cells), saturated


def channel_means(images: np.ndarray) -> np.ndarray:
    """Means of 8 × 8 cells, [N, C, 64], in the images' own unit; of large images of every so many rows and columns."""
    step = max(1, min(images.shape[2:]) // THINNED)
    sums = images[..., ::step, ::step]
    edges = [np.linspace(0, size, CELLS + 1).astype(int) for size in sums.shape[2:]]
    for axis in (3, 2):
        sums = np.add.reduceat(sums, edges[axis - 2][:-1], axis, dtype=np.float64)
    return (sums / np.outer(*(np.diff(edge) for edge in edges))).reshape(*images.shape[:2], CELLS**2)


def weighted_median(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Over the cells of [n, N, 64], weights [N, 64]."""
    order = values.argsort(-1)
    weights = np.take_along_axis(np.broadcast_to(weights, values.shape), order, -1).cumsum(-1)
    middle = (weights < weights[..., -1:] / 2).sum(-1, keepdims=True)
    return np.take_along_axis(values, np.take_along_axis(order, middle, -1), -1)[..., 0]


def pack(values: np.ndarray) -> str:
    """One short line, which a person can still read in a YAML card."""
    return " ".join(str(round(100 * value)) for value in values)


def unpack(lines: tuple[str, ...]) -> np.ndarray:
    values = [[int(number) for number in line.split()] for line in lines]
    if any(len(light) != CELLS**2 for light in values):
        raise ValueError(f"expected {CELLS**2} whole numbers a light")
    return np.array(values, float) / 100

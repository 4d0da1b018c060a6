"""Shapes of painted defects: round blobs, lines, random relief. Knows no lights and no pictures."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter

RADII = (6 / 256, 30 / 256)  # of a blob, of the image's side
LENGTHS = (0.05, 0.3)  # of a line, of the image's side
WIDTHS = (0.6 / 256, 2 / 256)  # of a line, likewise
BENDS = 4  # pieces of a line
TOUCHED = 4 / 256  # a place so near to a line is covered by it, of the side


class Shape(NamedTuple):
    """Where in the picture, and how far in.

    window: rows and columns. inside: [h, w] in [0, 1], soft at the edge. height: [h, w] in pixels, of a bump.
    reach: [h, w] in [0, 1], what counts as covered: of a line, more than its own width.
    """

    window: tuple[slice, slice]
    inside: np.ndarray
    height: np.ndarray
    reach: np.ndarray


def blob(centre: np.ndarray, side: int, rng: np.random.Generator) -> Shape:
    """Around `centre` (row, column) in a picture of `side`²: an ellipse with 2 to 4 lobes."""
    radius = side * np.exp(rng.uniform(*np.log(RADII)))
    stretch, angle, lobes, phase = (
        np.exp(rng.normal(0, 0.3)),
        rng.uniform(0, np.pi),
        rng.integers(2, 5),
        rng.uniform(0, 6.3),
    )
    window = _window(centre, centre, int(2.2 * radius * max(stretch, 1 / stretch)) + 2, side)
    y, x = _offsets(window, centre)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    distance = np.hypot(along / stretch, across * stretch) / radius
    distance *= 1 + 0.2 * np.sin(lobes * np.arctan2(across, along) + phase)
    inside = ((1 - distance) * radius / 3 + 0.5).clip(0, 1)
    return Shape(window, inside, np.exp(-2.5 * distance**2) * radius * 0.5, inside)


def line(centre: np.ndarray, side: int, rng: np.random.Generator) -> Shape:
    """Through `centre`: straight, bent or jagged, of one width."""
    length, width = (side * np.exp(rng.uniform(*np.log(of))) for of in (LENGTHS, WIDTHS))
    turns = rng.normal(0, rng.choice([0.0, 0.15, 0.6]), BENDS).cumsum() + rng.uniform(0, 2 * np.pi)
    steps = np.stack([np.sin(turns), np.cos(turns)], 1) * length / BENDS
    points = np.concatenate([np.zeros((1, 2)), steps.cumsum(0)])
    points += centre - points.mean(0)
    touched = max(TOUCHED * side, width)
    window = _window(points.min(0), points.max(0), int(touched + 3 * width) + 2, side)
    offsets = np.stack(_offsets(window, np.zeros(2)), -1)
    distance = np.min([_from_segment(offsets, a, b) for a, b in pairwise(points)], axis=0)
    inside = (width / 2 - distance + 0.5).clip(0, 1)
    height = np.exp(-((distance / width) ** 2)) * width
    return Shape(window, inside, height, (distance < touched).astype(np.float32))


def rough_slopes(shape: tuple[int, int], side: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Slopes of a random relief of two scales along rows and columns, 0.5 on average."""
    height = np.zeros(shape)
    for scale in rng.choice([0.6, 1.0, 1.6, 2.5, 4.0], 2, replace=False) * side / 256:
        height += gaussian_filter(rng.standard_normal(shape), scale) * scale**1.2
    slopes = np.gradient(height)
    return [0.5 * slope / np.sqrt(np.square(slopes).sum(0).mean() + 1e-12) for slope in slopes]


def _window(low: np.ndarray, high: np.ndarray, reach: int, side: int) -> tuple[slice, slice]:
    """From `low` to `high` (rows, columns) and `reach` further, within the picture; at least 2 pixels wide."""
    first = np.clip(np.asarray(low).astype(int) - reach, 0, side - 2)
    last = np.clip(np.asarray(high).astype(int) + reach, first + 2, side)
    return slice(first[0], last[0]), slice(first[1], last[1])


def _offsets(window: tuple[slice, slice], origin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[window[0], window[1]] - np.asarray(origin)[:, None, None]
    return y, x


def _from_segment(points: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """points: [h, w, 2]. Distance of each from the segment a b."""
    along = b - a
    share = (((points - a) @ along) / max(along @ along, 1e-9)).clip(0, 1)
    return np.linalg.norm(points - a - share[..., None] * along, axis=-1)

"""Do all lights show the same picture? Exposures of one lamp do; lights from other sides do not."""

import math

import cv2
import numpy as np

from afrd.datasets import CaptureSet, read_ahead

CAPTURES = 12  # that are looked at
SIDE = 128  # of the thumbnails, pixels
DETAIL = 6  # standard deviation in pixels, of what is finer than it
ALIKE = 0.9  # least correlation of detail; exposures have 0.98, directions of plain parts up to 0.7
OFFSET = 0.02  # of full scale, added before the logarithm


def alikeness(captures: CaptureSet) -> float:
    """The least of `correlations`. 1 for a single light."""
    return float(correlations(captures).min())


def correlations(captures: CaptureSet) -> np.ndarray:
    """[N, N], -1..1: how far two lights' detail of the logarithm of brightness goes together, over good captures.

    The median over captures; overall brightness and slow shading do not count.
    """
    chosen = captures[:: math.ceil(len(captures) / CAPTURES)]
    return np.median([_correlations(capture.images) for capture in read_ahead(chosen)], axis=0)


def copies(correlations: np.ndarray) -> list[tuple[int, ...]]:
    """Groups of two and more lights of which any two show the same picture, by `correlations`; the largest first."""
    left, groups = list(range(len(correlations))), []
    for k in range(len(correlations)):
        if k not in left:
            continue
        group = [k]
        for other in left:
            if other != k and all(correlations[other, member] >= ALIKE for member in group):
                group.append(other)
        if len(group) > 1:
            groups.append(tuple(sorted(group)))
            left = [light for light in left if light not in group]
    return sorted(groups, key=len, reverse=True)


def _correlations(images: np.ndarray) -> np.ndarray:
    """[N, N] of one capture's lights; 0 where a light shows nothing."""
    full, detail = max(float(images.max()), 1), []
    for light in (picture.astype(np.float32).mean(0) / full for picture in images):
        small = np.log(cv2.resize(light, (SIDE, SIDE), interpolation=cv2.INTER_AREA) + OFFSET)
        small -= cv2.GaussianBlur(small, (0, 0), DETAIL)
        small -= small.mean()
        detail.append(small.ravel() / max(float(np.linalg.norm(small)), 1e-6))
    return np.stack(detail) @ np.stack(detail).T

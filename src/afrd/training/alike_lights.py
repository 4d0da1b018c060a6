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
    """The least correlation between two lights of the detail of the logarithm of brightness, over good captures; -1..1.

    The median over captures; overall brightness and slow shading do not count. 1 for a single light.
    """
    chosen = captures[:: math.ceil(len(captures) / CAPTURES)]
    found = np.median([_correlations(capture.images) for capture in read_ahead(chosen)], axis=0)
    return float(found.min())


def _correlations(images: np.ndarray) -> np.ndarray:
    """[N, N] of one capture's lights; 0 where a light shows nothing."""
    grey = images.astype(np.float32).mean(1) / max(float(images.max()), 1)
    detail = []
    for light in grey:
        small = np.log(cv2.resize(light, (SIDE, SIDE), interpolation=cv2.INTER_AREA) + OFFSET)
        small -= cv2.GaussianBlur(small, (0, 0), DETAIL)
        small -= small.mean()
        detail.append(small.ravel() / max(float(np.linalg.norm(small)), 1e-6))
    return np.stack(detail) @ np.stack(detail).T

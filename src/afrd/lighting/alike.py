"""Lights that bring nothing new: copies of one another, and sums of others."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from scipy.optimize import nnls

from afrd.datasets import CaptureSet, read_ahead
from afrd.training.alike_lights import CAPTURES, DETAIL, SIDE
from afrd.views.directions import GAMMA

EXPLAINED = 0.95  # of a light's detail, from which it is a sum of others
SHARED = 0.05  # of the sum's detail that a light must bring to be named


def sums(captures: CaptureSet, copies: Sequence[Sequence[int]] = ()) -> list[tuple[int, tuple[int, ...], float]]:
    """Lights whose linear light is a sum of at least two others', as all spots of the spots: (light, of, share).

    share: of the variance of its fine detail that the sum explains. copies: groups of them; a light is no sum of its
    copies. Of two lights that are sums of one another and further ones, the one that is explained better is named.
    """
    beside = {k: set(group) for group in copies for k in group}
    of_others = {
        k: [i for i in range(len(captures.lights)) if i not in beside.get(k, {k})] for k in range(len(captures.lights))
    }
    if all(len(others) < 2 for others in of_others.values()):
        return []
    detail = np.concatenate([_detail(capture.images) for capture in _some(captures)], 1)  # [N, pixels]
    found = []
    for k, others in of_others.items():
        if len(others) < 2:
            continue
        weights, rest = nnls(detail[others].T, detail[k])
        share = 1 - rest**2 / max(float(detail[k] @ detail[k]), 1e-12)
        brought = weights * np.linalg.norm(detail[others], axis=1)
        of = tuple(i for i, part in zip(others, brought, strict=True) if part > SHARED * brought.sum())
        if share >= EXPLAINED and len(of) > 1:
            found.append((k, of, float(share)))
    best: list[tuple[int, tuple[int, ...], float]] = []
    for k, of, share in sorted(found, key=lambda each: -each[2]):
        if not any(other in of or k in others for other, others, _ in best):
            best.append((k, of, share))
    return best


def _some(captures: CaptureSet):
    return read_ahead(captures[:: math.ceil(len(captures) / CAPTURES)])


def _detail(images: np.ndarray) -> np.ndarray:
    """[N, SIDE²]: fine detail of each light's linear light."""
    grey = (images.astype(np.float64).mean(1) / np.iinfo(images.dtype).max) ** GAMMA
    small = np.stack([cv2.resize(light, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for light in grey])
    return np.stack([light - cv2.GaussianBlur(light, (0, 0), DETAIL) for light in small]).reshape(len(images), -1)

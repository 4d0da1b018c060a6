"""Captures lit by computation, and the simplest real detector: distance to the mean of good captures."""

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

from afrd.capture import Capture, LightRig
from afrd.evaluation.evaluate import evaluate
from afrd.imaging.coarse_map import CoarseMap
from afrd.inspection import Inspection

RIG = LightRig(("all spots", "bottom", "right", "top", "left", "light box"))
_DIRECTIONS = np.array([[0, -1, 1], [1, 0, 1], [0, 1, 1], [-1, 0, 1]]) / np.sqrt(2)


def lit_part(rng: np.random.Generator, size: int, defects: Sequence[str], dtype=np.uint8):
    """Images [6, 3, H, W] of a dome lit from four sides, a mask per defect; bumps change shape, colours paint."""
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    dome = np.sqrt(np.clip(1.1 - x**2 - y**2, 0.05, None))
    dome = dome + 0.012 * ndimage.gaussian_filter(rng.standard_normal((size, size)), size / 40) * size / 16
    paint = np.ones((3, size, size)) * np.array([0.85, 0.55, 0.35])[:, None, None] * rng.uniform(0.95, 1.05)
    masks = {}
    for defect in defects:
        cy, cx = rng.uniform(-0.5, 0.5, 2)
        radius = rng.uniform(0.1, 0.2)
        distance = np.hypot(y - cy, x - cx)
        masks[defect] = distance < radius
        if defect == "bumps":
            dome = dome + rng.uniform(0.002, 0.06) * np.exp(-((2 * distance / radius) ** 2))
        else:
            paint = np.where(
                masks[defect], paint * (1 - rng.uniform(0.02, 0.3) * np.array([0, 1, 1])[:, None, None]), paint
            )
    dy, dx = np.gradient(dome, 2 / (size - 1))
    normal = np.stack([-dx, -dy, np.ones_like(dx)]) / np.sqrt(dx**2 + dy**2 + 1)
    spots = [0.8 * np.clip(np.einsum("c,chw->hw", d, normal), 0, None) for d in _DIRECTIONS]
    light = np.stack([sum(spots) / 2.5, *spots, 0.25 + 0.6 * normal[2]])
    photos = np.clip(light[:, None] * paint[None] + 0.01 * rng.standard_normal((6, 3, size, size)), 0, 1)
    return np.rint(photos * np.iinfo(dtype).max).astype(dtype), masks


def lit_capture(rng: np.random.Generator, name: str, defects: Sequence[str] = (), size: int = 48, dtype=np.uint8):
    images, masks = lit_part(rng, size, defects, dtype)
    mask = np.any(list(masks.values()), axis=0) if masks else np.zeros((size, size), dtype=bool)
    return Capture(name, images, RIG, bool(defects), tuple(sorted(defects)), mask, masks)


class CaptureList(list):
    """Captures with what a split says of itself."""

    def __init__(self, captures, category="Dome", split="test_public"):
        super().__init__(captures)
        self.category, self.split = category, split
        self.lights = self[0].lights if self else None


class DistanceToMean:
    """Per pixel the distance to the mean good capture over its deviation, weighted by how much each light differs."""

    def __init__(self, good: Sequence[Capture], held_out: Sequence[Capture]) -> None:
        stack = np.stack([c.images for c in good]).astype(float)
        self.mean, self.deviation = stack.mean(axis=0), stack.std(axis=0) + 0.01 * np.iinfo(good[0].images.dtype).max
        self.config = {"model": "distance to mean", "good captures": len(good), "smoothing": {"sigma": 1.5}}
        self.threshold = float("inf")
        self.threshold = float(np.median([self.inspect_capture(c).score for c in held_out]))

    def inspect_capture(self, capture: Capture) -> Inspection:
        distance = np.abs((capture.images - self.mean) / self.deviation).mean(axis=1)  # [N, H, W]
        weights = distance.mean(axis=(1, 2)) / distance.mean(axis=(1, 2)).sum()
        levels = np.stack([weights, weights**2 / (weights**2).sum()])
        anomaly_map = ndimage.gaussian_filter(np.einsum("n,nhw->hw", weights, distance), 1.5).astype(np.float32)
        found = float(anomaly_map.max()), self.threshold, CoarseMap(anomaly_map), levels.astype(np.float32)
        return Inspection(capture.id, *found)


def dome_set(size: int = 48, n: int = 6, seed: int = 0):
    """A detector and a labelled split: n good, n with bumps, n with colours, n with both."""
    rng = np.random.default_rng(seed)
    train = [lit_capture(rng, f"t{i}", size=size) for i in range(16)]
    kinds = [(), ("bumps",), ("colors",), ("bumps", "colors")]
    test = [lit_capture(rng, f"{i:03d}", kinds[i % 4], size=size) for i in range(4 * n)]
    return DistanceToMean(train[:10], train[10:]), CaptureList(test)


@pytest.fixture(scope="session")
def domes():
    """(inspector, captures), 24 captures of 48²."""
    return dome_set()


@pytest.fixture(scope="session")
def dome_evaluation(domes):
    return evaluate(*domes, resamples=200)


@pytest.fixture(scope="session")
def lit():
    """The makers above, for tests that need other captures than `domes`."""
    return SimpleNamespace(
        capture=lit_capture, capture_list=CaptureList, detector=DistanceToMean, dome_set=dome_set, rig=RIG
    )

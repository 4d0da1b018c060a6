"""An anomaly map at the scale at which a model made it; at the capture's own size only when it is asked for."""

from dataclasses import dataclass, replace
from typing import Self

import cv2
import numpy as np

from afrd.imaging.region import MovedRegion, Region
from afrd.imaging.smoothing import smoothed


@dataclass(frozen=True)
class CoarseMap:
    """values: [h, w] float32. size: height and width of the capture; None: that of the values. region: 0 outside.

    sigma: pixels of the values, by which `calm` smooths; 0: not.
    """

    values: np.ndarray
    size: tuple[int, int] | None = None
    region: Region | MovedRegion | None = None
    sigma: float = 0

    def calm(self, level: float) -> Self:
        """The same, smoothed below a threshold (`afrd.imaging.smoothing`)."""
        if not self.sigma:
            return self
        return replace(self, values=smoothed(np.asarray(self.values, np.float32), self.sigma, level), sigma=0)

    def at_full_size(self) -> np.ndarray:
        """[H, W] float32."""
        return self._at(self.size or self.values.shape, smoothed=False)

    def within(self, side: int) -> np.ndarray:
        """[h, w] float32, of the capture's proportions and no larger than it, at most `side` wide and high."""
        size = self.size or self.values.shape
        share = min(1.0, side / max(size))
        return self._at((max(1, round(size[0] * share)), max(1, round(size[1] * share))), smoothed=True)

    def _at(self, size: tuple[int, ...], smoothed: bool) -> np.ndarray:
        values = np.asarray(self.values, dtype=np.float32)
        if size != values.shape:
            values = resize_map(values, (size[0], size[1]), smoothed)
        if self.region is None:
            return values
        inside = self.region.inside
        if inside.shape != size:
            inside = cv2.resize(inside.astype(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST) > 0
        return np.where(inside, values, np.float32(0))


def resize_map(anomaly_map: np.ndarray, size: tuple[int, int], smoothed: bool = False) -> np.ndarray:
    """[h, w] float32 to [H, W], bilinear, sampled at pixel centres: torch's `interpolate`.

    smoothed: where it gets smaller, each pixel is the mean of those it stands for.
    """
    how = cv2.INTER_AREA if smoothed and size[0] < anomaly_map.shape[0] else cv2.INTER_LINEAR
    return cv2.resize(anomaly_map, size[::-1], interpolation=how)

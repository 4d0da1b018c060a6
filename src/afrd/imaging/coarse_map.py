"""An anomaly map at the scale at which a model made it; at the capture's own size only when it is asked for."""

from dataclasses import dataclass

import cv2
import numpy as np

from afrd.imaging.region import MovedRegion, Region


@dataclass(frozen=True)
class CoarseMap:
    """values: [h, w] float32. size: height and width of the capture; None: that of the values. region: 0 outside."""

    values: np.ndarray
    size: tuple[int, int] | None = None
    region: Region | MovedRegion | None = None

    def at_full_size(self) -> np.ndarray:
        """[H, W] float32."""
        values = np.asarray(self.values, dtype=np.float32)
        if self.size not in (None, values.shape):
            values = resize_map(values, self.size)
        return values if self.region is None else np.where(self.region.inside, values, np.float32(0))


def resize_map(anomaly_map: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """[S, S] float32 to [H, W], bilinear, sampled at pixel centres without smoothing: torch's `interpolate`."""
    return cv2.resize(anomaly_map, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)

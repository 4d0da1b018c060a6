"""A map that is calm where nothing was found: smoothed, but for what stands out."""

import cv2
import numpy as np

RISE = 0.8  # of the level: from here on a pixel goes over into what it is unsmoothed


def smoothed(values: np.ndarray, sigma: float, level: float) -> np.ndarray:
    """Each pixel as the Gaussian mean of its surroundings; those at `level` and above keep their values.

    No other comes up to the level, so what exceeds a threshold is the same before and after, and the highest pixel is.
    values: [h, w] float32, above 0; where it is 0 nothing was looked at: that stays 0, and is in no mean.
    sigma: pixels. level: a threshold; the highest value, where that is lower, stands for it. Returns [h, w] float32.
    """
    level = np.float32(min(level, float(values.max())))
    if level <= 0:
        return values
    mean, seen = _blurred(values, sigma), values > 0
    if not seen.all():
        np.divide(mean, _blurred(seen.astype(np.float32), sigma), out=mean, where=seen)
        mean[~seen] = 0
    own = values / level
    own -= RISE
    own /= 1 - RISE
    np.clip(own, 0, 1, out=own)
    own *= np.maximum(values - mean, 0)  # a hollow beside what stands out is filled, not kept
    mean += own
    np.minimum(mean, np.nextafter(level, np.float32(0)), out=mean)
    np.copyto(mean, values, where=values >= level)
    return mean


def _blurred(values: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(values, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)

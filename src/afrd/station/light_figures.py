"""What each light's picture measures, capture by capture, for the drift charts: numbers only, no verdict."""

import cv2
import numpy as np

_SIDE = 512  # pixels; larger pictures are measured on a piece of this size from their middle


def measure(images: np.ndarray) -> dict[str, list[float]]:
    """images [N, C, H, W] uint8 or uint16 → one number for each of the N lights:

    brightness: mean, 0 to 1 of full scale. sharpness: variance of the Laplacian over the mean squared (Pertuz et al.
    2013, LAPV, made independent of exposure). noise: standard deviation, 0 to 1, from a difference that cancels
    edges (Immerkær 1996).
    """
    full = float(np.iinfo(images.dtype).max)
    height, width = images.shape[-2:]
    top, left = max(0, (height - _SIDE) // 2), max(0, (width - _SIDE) // 2)
    figures: dict[str, list[float]] = {"brightness": [], "sharpness": [], "noise": []}
    for image in images:
        step = max(1, min(height, width) // _SIDE)
        figures["brightness"].append(_rounded(image[:, ::step, ::step].mean() / full))
        grey = image[len(image) // 2, top : top + _SIDE, left : left + _SIDE].astype(np.float32) / full
        mean = max(float(grey.mean()), 1 / full)
        figures["sharpness"].append(_rounded(cv2.Laplacian(grey, cv2.CV_32F).var() / mean**2))
        figures["noise"].append(_rounded(_noise(grey)))
    return figures


def _noise(grey: np.ndarray) -> float:
    """Immerkær, Fast Noise Variance Estimation, 1996."""
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    return float(np.sqrt(np.pi / 2) * np.abs(cv2.filter2D(grey, cv2.CV_32F, kernel)).mean() / 6)


def _rounded(value: float) -> float:
    return float(f"{value:.5g}")

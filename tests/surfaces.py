"""Bumpy, speckled surfaces under five lights, shifted against each other by known amounts."""

import numpy as np
from scipy.ndimage import gaussian_filter, shift

SIDE, LIGHTS = 128, 5


def part(seed: int, dent: float = 0.0, albedo: float = 0.15, side: int = SIDE) -> np.ndarray:
    """[N, H, W] in [0, 1]: a bumpy, speckled surface under five lights from all around. dent: its depth, pixels."""
    rng = np.random.default_rng(seed)
    height = 3 * gaussian_filter(rng.standard_normal((side, side)), 4) * 4
    y, x = np.mgrid[:side, :side]
    height = height - dent * np.exp(-((x - 70) ** 2 + (y - 60) ** 2) / (2 * 9**2))
    speckle = np.exp(albedo * gaussian_filter(rng.standard_normal((side, side)), 1.2) * 4)
    slope_y, slope_x = np.gradient(height)
    angles = 2 * np.pi * np.arange(LIGHTS) / LIGHTS
    shades = [(0.6 - 0.5 * (np.cos(a) * slope_x + np.sin(a) * slope_y)).clip(0.05) for a in angles]
    return (0.5 * speckle * np.stack(shades) / np.sqrt(1 + slope_x**2 + slope_y**2)).clip(0, 1)


def capture(lights: np.ndarray, shifts: np.ndarray, seed: int = 0) -> np.ndarray:
    """[N, 1, H, W] uint8 with sensor noise, each light shifted by x, y pixels (scipy's splines)."""
    rng = np.random.default_rng(seed)
    moved = np.stack([shift(one, (y, x), mode="mirror") for one, (x, y) in zip(lights, shifts, strict=True)])
    return np.rint(255 * (moved + rng.normal(0, 0.005, moved.shape)).clip(0, 1)).astype(np.uint8)[:, None]


def drawn(seed: int, most: float) -> np.ndarray:
    shifts = np.random.default_rng(seed).uniform(-most, most, (LIGHTS, 2))
    return shifts - shifts.mean(0)

"""Colours in linear light, and the camera's tone curve. Knows no scenes."""

import colorsys

import numpy as np


def to_srgb(linear: np.ndarray) -> np.ndarray:
    """The sRGB transfer curve (IEC 61966-2-1) of values clipped to 0..1."""
    linear = np.clip(linear, 0.0, 1.0)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def to_linear(srgb: np.ndarray) -> np.ndarray:
    """The inverse of `to_srgb`, for values in 0..1."""
    srgb = np.asarray(srgb, dtype=np.float64)
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def paint(code: str) -> np.ndarray:
    """`"#rrggbb"`, as seen on a screen, to a linear albedo [3]."""
    return to_linear(np.array([int(code[i : i + 2], 16) for i in (1, 3, 5)]) / 255.0)


def vary(albedo: np.ndarray, rng: np.random.Generator, hue: float, saturation: float, value: float) -> np.ndarray:
    """A like colour: hue (turns), saturation and value (relative) jittered by these standard deviations; [3]."""
    h, s, v = colorsys.rgb_to_hsv(*to_srgb(albedo))
    h = (h + rng.normal(0, hue)) % 1.0
    s = float(np.clip(s * (1 + rng.normal(0, saturation)), 0, 1))
    v = float(np.clip(v * (1 + rng.normal(0, value)), 0.02, 0.97))
    return to_linear(np.array(colorsys.hsv_to_rgb(h, s, v)))


def blend(a: np.ndarray, b: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """`a` where weight [V] is 0, `b` where it is 1; a and b are [3] or [V, 3], the result [V, 3]."""
    return a + (b - a) * weight[:, None]

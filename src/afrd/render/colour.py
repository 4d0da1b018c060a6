"""Colours in linear light. Knows no scenes."""

import colorsys

import numpy as np

from afrd.imaging.pixels import to_linear, to_srgb


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

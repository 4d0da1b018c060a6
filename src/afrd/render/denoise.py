"""Takes the sampling noise out of a render with few samples a pixel, led by what is known without noise.

The edge-avoiding à-trous filter (Dammertz, Sewtz, Hanika, Lensch, "Edge-Avoiding À-Trous Wavelet Transform for fast
Global Illumination Filtering", 2010) on light divided by albedo: texture and edges stay, because only pixels of like
normal, albedo and height are averaged. Knows no renderer.
"""

import numpy as np

_KERNEL = np.array([1, 4, 6, 4, 1]) / 16.0
_SIGMA_NORMAL, _SIGMA_ALBEDO, _SIGMA_HEIGHT = 0.16, 0.12, 0.12  # height in cm, albedo relative
_FLOOR = 0.02


def denoise(
    image: np.ndarray, albedo: np.ndarray, normals: np.ndarray, height: np.ndarray, passes: int = 3
) -> np.ndarray:
    """`image` [H, W, 3] with less noise; albedo and normals [H, W, 3] and height [H, W] free of it."""
    light = (image / (albedo + _FLOOR)).astype(np.float32)
    tone = np.log(albedo.mean(axis=2, keepdims=True) + _FLOOR)
    guide = np.concatenate(
        [normals / _SIGMA_NORMAL, tone / _SIGMA_ALBEDO, height[..., None] / _SIGMA_HEIGHT], axis=2
    ).astype(np.float32)
    for step in 2 ** np.arange(passes):
        reach = 2 * int(step)
        pad = [(reach, reach), (reach, reach), (0, 0)]
        wide_light, wide_guide = np.pad(light, pad, mode="edge"), np.pad(guide, pad, mode="edge")
        total, weights = np.zeros_like(light), np.zeros(light.shape[:2], np.float32)
        for i, a in enumerate(_KERNEL):
            for j, b in enumerate(_KERNEL):
                rows = slice(i * step, i * step + light.shape[0])
                columns = slice(j * step, j * step + light.shape[1])
                difference = wide_guide[rows, columns] - guide
                weight = a * b * np.exp(-np.einsum("ijk,ijk->ij", difference, difference))
                total += weight[..., None] * wide_light[rows, columns]
                weights += weight
        light = total / weights[..., None]
    return light * (albedo + _FLOOR)

"""Procedural noise on points in space: what makes two rendered parts of one class differ.

Everything is a function of 3-D positions, so a texture has no seams and does not depend on how a mesh is cut. Knows no
meshes, classes or defects.
"""

import numpy as np


def smoothstep(low: float, high: float, x: np.ndarray) -> np.ndarray:
    """0 below `low`, 1 above `high`, a smooth cubic between; `low > high` turns it round."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


class Noise:
    """Gradient noise (Perlin, "Improving Noise", 2002) with random gradients drawn once per object."""

    def __init__(self, rng: np.random.Generator) -> None:
        gradients = rng.normal(size=(256, 3))
        self._gradients = (gradients / np.linalg.norm(gradients, axis=1, keepdims=True)).astype(np.float32)
        self._permutation = np.tile(rng.permutation(256), 3)
        self._offset = rng.uniform(-100, 100, size=3)

    def __call__(self, points: np.ndarray, frequency: float) -> np.ndarray:
        """Noise at points [V, 3], in about -1..1, `frequency` lattice cells per centimetre; returns [V]."""
        scaled = points * frequency + self._offset
        cell = np.floor(scaled)
        f = (scaled - cell).astype(np.float32)
        x, y, z = (cell.astype(np.int64) & 255).T
        fade = f * f * f * (f * (f * 6.0 - 15.0) + 10.0)
        p, total = self._permutation, np.zeros(len(points), np.float32)
        for i in (0, 1):
            a = p[x + i]
            wx = fade[:, 0] if i else 1.0 - fade[:, 0]
            for j in (0, 1):
                b = p[a + y + j]
                wxy = wx * (fade[:, 1] if j else 1.0 - fade[:, 1])
                for k in (0, 1):
                    g = self._gradients[p[b + z + k]]
                    dot = g[:, 0] * (f[:, 0] - i) + g[:, 1] * (f[:, 1] - j) + g[:, 2] * (f[:, 2] - k)
                    total += wxy * (fade[:, 2] if k else 1.0 - fade[:, 2]) * dot
        return total * 1.6

    def fractal(self, points: np.ndarray, frequency: float, octaves: int, gain: float = 0.5) -> np.ndarray:
        """Sum of `octaves` layers, each of about twice the frequency and `gain` times the height of the last; [V]."""
        total, height = np.zeros(len(points), np.float32), 1.0
        for octave in range(octaves):
            # not exactly 2: the lattices' zeros would coincide
            total += height * self(points + 7.3 * octave, frequency * 2.03**octave)
            height *= gain
        return total

    def ridges(self, points: np.ndarray, frequency: float, sharpness: float) -> np.ndarray:
        """1 along thin random sheets (cracks where they cut a surface), falling to 0 between them; [V]."""
        return (1.0 - np.minimum(np.abs(self(points, frequency)), 1.0)) ** sharpness

    def vectors(self, points: np.ndarray, frequency: float) -> np.ndarray:
        """Three independent noises, [V, 3]."""
        return np.stack([self(points + shift, frequency) for shift in (0.0, 31.7, 67.1)], axis=1)


def nearest(points: np.ndarray, centres: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Distances and indices of the `count` nearest `centres` [C, 3] of each point [V, 3]: two arrays [V, count]."""
    from scipy.spatial import cKDTree  # a third of a second to import, and listing the classes must not wait for it

    distance, index = cKDTree(centres).query(points, k=count)
    return distance.reshape(len(points), count), index.reshape(len(points), count)

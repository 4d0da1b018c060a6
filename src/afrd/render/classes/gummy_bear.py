"""A gummy bear on its back: translucent, so that light comes out where it did not go in and shading tells little."""

import numpy as np

from afrd.render.candy import Candy
from afrd.render.colour import paint, vary
from afrd.render.noise import Noise
from afrd.render.surface import Material, Surface, grid_faces, vertex_normals

_JELLIES = [paint(code) for code in ("#e2222f", "#f08a1c", "#f5cf2e", "#46a83f", "#f3ead0", "#c83f7f")]

# Rounded pieces of the bear, the right half of those that come in pairs: centre (x, y, z) and half axes, cm.
_MIDDLE = [
    ((0.0, -0.40, 0.55), (0.95, 1.10, 0.72)),  # belly
    ((0.0, 1.12, 0.55), (0.76, 0.68, 0.66)),  # head
    ((0.0, 1.00, 1.05), (0.32, 0.26, 0.28)),  # snout
]
_PAIRS = [
    ((0.58, 1.68, 0.50), (0.28, 0.27, 0.34)),  # ears
    ((0.78, 0.15, 0.85), (0.33, 0.50, 0.36)),  # arms
    ((0.62, -1.38, 0.70), (0.42, 0.50, 0.50)),  # legs
]
_SHARPNESS = 4.5  # of the fillets between pieces


class GummyBear(Candy):
    turn = 40.0
    tilt = 1.0

    def build(self, rng: np.random.Generator, detail: float) -> Surface:
        noise = Noise(rng)
        x, y = np.meshgrid(np.linspace(-1.9, 1.9, round(160 * detail)), np.linspace(-2.7, 2.7, round(227 * detail)))
        flat = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1)
        z = self._height(flat + 0.05 * noise.vectors(flat, 0.6), self._pieces(rng))
        points = flat + np.array([0, 0, 1.0]) * z[:, None]
        faces = grid_faces(*x.shape)[:, ::-1]
        faces = faces[(z[faces] > 0).any(axis=1)]
        used, faces = np.unique(faces, return_inverse=True)
        points, faces = points[used], faces.reshape(-1, 3)
        out = vertex_normals(points, faces)

        jelly = vary(_JELLIES[rng.integers(len(_JELLIES))], rng, 0.012, 0.08, 0.05)
        surface = Surface(
            points, faces, out, Material(rng.uniform(0.2, 0.35), 0.5, translucency=rng.uniform(0.55, 0.75))
        )
        dimples = 0.03 * rng.uniform(0.4, 1.3) * noise(points, 0.8) + 0.006 * rng.uniform(0.3, 1.5) * noise(points, 3.0)
        surface.displace(dimples * (points[:, 2] > 0.05))
        cloud = 1 + 0.10 * noise.fractal(points, 0.9, 3, 0.6)
        surface.albedo = np.tile(jelly, (len(points), 1)) * cloud[:, None]
        return surface

    @staticmethod
    def _pieces(rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
        """The pieces as the mould and the drying left them: sizes and places vary a little, not quite symmetric."""
        scale, pieces = rng.uniform(1.05, 1.2), []
        both = [((-x, y, z), half) for (x, y, z), half in _PAIRS]
        for centre, half in [*_MIDDLE, *_PAIRS, *both]:
            moved = np.array(centre) + rng.normal(0, 0.03, 3)
            pieces.append((moved * scale, np.array(half) * scale * rng.uniform(0.94, 1.05, 3)))
        return pieces

    @staticmethod
    def _height(flat: np.ndarray, pieces: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """Height [V] of the top of the blended pieces over points in the plane; 0 where there is no bear."""
        levels = np.linspace(1.95, 0.0, 56)
        columns = [(np.sum(((flat[:, :2] - c[:2]) / h[:2]) ** 2, axis=1), (levels - c[2]) / h[2]) for c, h in pieces]
        height, above = np.zeros(len(flat)), np.full(len(flat), -np.inf)
        for i, level in enumerate(levels):
            field = sum(np.exp(-_SHARPNESS * (plane + depth[i] ** 2 - 1)) for plane, depth in columns)
            inside = np.log(np.maximum(field, 1e-30))
            hit = (inside >= 0) & (height == 0)
            if i:
                share = inside[hit] / (inside[hit] - above[hit])
                height[hit] = level + share * (levels[i - 1] - level)
            above = inside
        return np.maximum(height, 0)

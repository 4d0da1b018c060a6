"""A sugared almond: smooth, glossy, of many pale colours, with an embossed flower. Highlights drown small relief."""

import numpy as np

from afrd.render.candy import Candy
from afrd.render.colour import blend, paint, vary
from afrd.render.noise import Noise, smoothstep
from afrd.render.surface import Material, Surface, dome_directions, superellipsoid, vertex_normals

_SUGARS = [
    paint(code) for code in ("#f1ede4", "#eab4bd", "#a9cbe4", "#b5dcb2", "#f0dc92", "#c9b3de", "#e99f86", "#8fc9c4")
]


class Confetto(Candy):
    turn = 12.0
    tilt = 5.0

    def build(self, rng: np.random.Generator, detail: float) -> Surface:
        noise = Noise(rng)
        directions, faces = dome_directions(round(190 * detail))
        length, breadth, height = rng.uniform(2.1, 2.5), rng.uniform(1.5, 1.75), rng.uniform(0.95, 1.2)
        points = superellipsoid(directions, (length, breadth, height), 2.0, rng.uniform(2.0, 2.25))
        # an almond is blunter at one end
        points[:, 1:] *= (1 - rng.uniform(0.04, 0.14) * points[:, 0] / length)[:, None]
        out = vertex_normals(points, faces)

        lumps = 0.05 * rng.uniform(0.4, 1.2) * noise(points, 0.45) + 0.016 * rng.uniform(0.3, 1.2) * noise(points, 1.3)
        peel = 0.0022 * rng.uniform(0.4, 1.5) * noise(points, 6.5)
        mark = self._mark(points, rng)
        surface = Surface(
            points,
            faces,
            out,
            Material(rng.uniform(0.28, 0.42), 0.5, rng.uniform(0.5, 1.0), rng.uniform(0.82, 0.94)),
        )
        surface.displace(lumps + peel + rng.uniform(0.02, 0.036) * mark)

        sugar = vary(_SUGARS[rng.integers(len(_SUGARS))], rng, 0.012, 0.2, 0.04)
        albedo = np.tile(sugar, (len(points), 1))
        cloud = 0.10 * rng.uniform(0.3, 1.2) * np.clip(noise.fractal(points, 0.9, 3, 0.6), -1, 1)
        albedo = albedo * (1 + cloud)[:, None]
        # the coat is thinner on the mark: a shade more colour
        surface.albedo = blend(albedo, albedo * albedo / np.maximum(albedo.max(), 0.1), 0.35 * mark)
        return surface

    @staticmethod
    def _mark(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Cover [V], 0..1, of the stamped flower in its ring; each stamping sits and fills a little differently."""
        turn, scale = rng.normal(0, 0.1), rng.uniform(0.92, 1.04)
        x, y = points[:, 0] - rng.normal(0, 0.06), points[:, 1] - rng.normal(0, 0.05)
        r, angle = np.hypot(x, y) / scale, np.arctan2(y, x) + turn
        soft = rng.uniform(0.045, 0.08)

        def band(distance: np.ndarray, width: float) -> np.ndarray:
            return smoothstep(width + soft, width, np.abs(distance))

        petals = band(r - 0.45 * (1 + 0.38 * np.cos(5 * angle)), 0.045)
        ring = band(r - 0.95, 0.05)
        heart = smoothstep(0.12 + soft, 0.12, r)
        return np.maximum.reduce([petals, ring, heart]) * (points[:, 2] > 0)

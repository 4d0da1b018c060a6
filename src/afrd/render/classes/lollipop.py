"""A lollipop: a rope of coloured sugar coiled into a disc, on a stick."""

import numpy as np

from afrd.render.candy import Candy
from afrd.render.colour import blend, paint, vary
from afrd.render.noise import Noise, smoothstep
from afrd.render.surface import Material, Surface, dome_directions, superellipsoid, tube, vertex_normals

_SUGARS = [paint(c) for c in ("#d22f3a", "#f0c93c", "#3f9d55", "#3a74c0", "#e0709f", "#ee8a35", "#8a4fa8", "#f2ede4")]
_STICK = paint("#e9e2d2")


class Lollipop(Candy):
    turn = 35.0
    tilt = 1.5

    def build(self, rng: np.random.Generator, detail: float) -> Surface:
        noise = Noise(rng)
        directions, faces = dome_directions(round(210 * detail))
        radius = rng.uniform(1.6, 1.85)
        points = superellipsoid(
            directions, (radius, radius * rng.uniform(0.96, 1.04), 0.42), 2.0, rng.uniform(2.6, 3.4)
        )
        out = vertex_normals(points, faces)

        r, angle = np.hypot(points[:, 0], points[:, 1]), np.arctan2(points[:, 1], points[:, 0])
        hand = rng.choice([-1, 1])
        rope = radius / rng.uniform(3.2, 4.6)  # width of a turn
        coil = (r + 0.05 * noise(points, 0.9)) / rope - hand * angle / (2 * np.pi) + rng.uniform()
        turn, across = np.floor(coil), coil % 1.0
        bulge = np.sqrt(np.clip(1 - (2 * across - 1) ** 2, 0, 1))
        # the rope was twisted: colours run slantwise along it; its length grows with the square of the turn
        length = 2 * np.pi * rope * (0.5 * turn**2 + turn * (hand * angle / (2 * np.pi) + 0.5))
        count = int(rng.integers(2, 5))
        slant = length / rng.uniform(1.3, 2.2) + rng.uniform(0.3, 0.9) * across + 0.08 * noise(points, 2.0)
        band = slant % count
        surface = Surface(
            points, faces, out, Material(rng.uniform(0.25, 0.4), 0.5, rng.uniform(0.5, 1.0), rng.uniform(0.8, 0.94))
        )
        surface.displace(
            0.10 * rng.uniform(0.6, 1.2) * (bulge - 0.7)
            + 0.04 * rng.uniform(0.3, 1.2) * noise(points, 0.5)
            + 0.003 * noise(points, 5.0)
        )
        colours = [vary(_SUGARS[i], rng, 0.012, 0.1, 0.06) for i in rng.choice(len(_SUGARS), count, replace=False)]
        albedo = np.tile(colours[0], (len(points), 1))
        soft = 0.06
        for i in range(1, count):
            inside = smoothstep(i - soft, i + soft, band) * smoothstep(i + 1 + soft, i + 1 - soft, band)
            albedo = blend(albedo, colours[i], inside)
        surface.albedo = 0.9 * albedo * (1 + 0.06 * noise.fractal(points, 1.3, 3, 0.6))[:, None]
        return self._on_stick(surface, radius, rng, detail)

    @staticmethod
    def _on_stick(head: Surface, radius: float, rng: np.random.Generator, detail: float) -> Surface:
        """The head and a paper stick that comes out of it, as one surface."""
        length, lean = rng.uniform(1.5, 2.0), rng.normal(0, 0.05)
        s = np.linspace(-0.4, length, round(70 * detail) + 8)
        line = np.stack([lean * s + rng.normal(0, 0.05), -radius - s, np.zeros_like(s)], axis=1)
        end = np.sqrt(np.clip(np.minimum(1, (length - s) / 0.06), 1e-4, 1))
        points, faces, _ = tube(line, rng.uniform(0.13, 0.17) * end, round(28 * detail) + 8)
        wraps = 0.05 * np.sin(14 * points[:, 1] + 3 * points[:, 0])
        albedo = np.tile(vary(_STICK, rng, 0.01, 0.1, 0.03), (len(points), 1)) * (0.9 + wraps)[:, None]
        return Surface(
            np.concatenate([head.vertices, points]),
            np.concatenate([head.faces, faces + len(head.vertices)]),
            np.concatenate([head.out, vertex_normals(points, faces)]),
            head.material,
            np.concatenate([head.albedo, albedo]),
        )

"""A truffle rolled in chopped hazelnut and coated with chocolate: relief everywhere, in which defects hide."""

import numpy as np

from afrd.render.candy import Candy
from afrd.render.colour import blend, paint, vary
from afrd.render.noise import Noise, nearest, smoothstep
from afrd.render.surface import Material, Surface, dome_directions, superellipsoid, unit, vertex_normals

_MILK, _DARK, _NUT = paint("#7d4a2a"), paint("#452617"), paint("#b98a58")


class HazelnutTruffle(Candy):
    defect_scale = 2.0
    tilt = 6.0

    def build(self, rng: np.random.Generator, detail: float) -> Surface:
        noise = Noise(rng)
        directions, faces = dome_directions(round(250 * detail))
        radius = rng.uniform(1.75, 2.05)
        axes = (radius, radius * rng.uniform(0.92, 1.0), radius * rng.uniform(0.82, 0.95))
        points = superellipsoid(directions, axes, 2.0, 2.0)
        out = vertex_normals(points, faces)

        lumps = 0.10 * rng.uniform(0.5, 1.3) * noise(points, 0.5) + 0.03 * noise(points, 1.4)
        chip, cover, tone = self._chips(rng, points, out, radius)
        coat = 0.008 * noise.fractal(points, 5.0, 2, 0.6)
        surface = Surface(points, faces, out, Material(rng.uniform(0.36, 0.55), rng.uniform(0.3, 0.5)))
        surface.displace(lumps + coat + chip)

        chocolate = vary(blend(_MILK, _DARK, rng.uniform(0, 1, 1))[0], rng, 0.008, 0.08, 0.05)
        albedo = np.tile(chocolate, (len(points), 1)) * (1 + 0.12 * noise.fractal(points, 1.2, 3, 0.6))[:, None]
        bare = np.clip(tone * rng.uniform(0.15, 0.6), 0, 0.8) * cover
        surface.albedo = blend(albedo, vary(_NUT, rng, 0.01, 0.1, 0.06), bare)
        return surface

    @staticmethod
    def _chips(rng: np.random.Generator, points: np.ndarray, out: np.ndarray, radius: float):
        """Height, cover and bareness, [V] each, of angular pieces of nut: flat, tilted polygons that overlap."""
        count = int(rng.integers(300, 480))
        centres = points[rng.choice(len(points), count, replace=False)]
        size = rng.uniform(0.10, 0.25, count) * rng.uniform(0.85, 1.15)
        lift = rng.uniform(0.05, 0.13, count) * rng.uniform(0.75, 1.15)
        tilt = rng.normal(0, 0.24, (count, 2)).clip(-0.4, 0.4)
        edges = np.linspace(0, 2 * np.pi, 5, endpoint=False) + rng.uniform(0, 2 * np.pi, (count, 1))
        edges = edges + rng.normal(0, 0.2, edges.shape)
        reach = rng.uniform(0.65, 1.2, edges.shape)
        bare = rng.uniform(-0.8, 1.0, count).clip(0)

        _, index = nearest(points, centres, 4)
        across = unit(np.cross(out, np.array([0.31, 0.87, 0.38])))
        along = np.cross(out, across)
        height, cover, tone = np.zeros(len(points)), np.zeros(len(points)), np.zeros(len(points))
        for chip in index.T:
            offset = points - centres[chip]
            u = np.einsum("ij,ij->i", offset, across) / size[chip]
            v = np.einsum("ij,ij->i", offset, along) / size[chip]
            far = np.full(len(points), -9.0)
            for edge in range(edges.shape[1]):
                a = edges[chip, edge]
                far = np.maximum(far, (u * np.cos(a) + v * np.sin(a)) / reach[chip, edge])
            inside = smoothstep(1.15, 0.78, far)
            slope = size[chip] * (tilt[chip, 0] * u + tilt[chip, 1] * v)
            top = inside * np.clip(lift[chip] + slope, 0.01, 0.19)
            higher = top > height
            height = np.where(higher, top, height)
            cover, tone = np.where(higher, inside, cover), np.where(higher, bare[chip], tone)
        return height, cover, tone

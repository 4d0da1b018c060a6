"""A marshmallow: soft, matte, pale, dusted with sugar. There is little contrast for a method to hold on to."""

import numpy as np

from afrd.render.candy import Candy
from afrd.render.colour import blend, paint, vary
from afrd.render.noise import Noise, smoothstep
from afrd.render.surface import Material, Surface, dome_directions, superellipsoid, vertex_normals

_FOAMS = [paint(code) for code in ("#f4efe8", "#f3c9cf", "#f5e3b0", "#c9e3e6", "#dccbe8")]


class Marshmallow(Candy):
    tilt = 3.0

    def build(self, rng: np.random.Generator, detail: float) -> Surface:
        noise = Noise(rng)
        directions, faces = dome_directions(round(190 * detail))
        radius = rng.uniform(1.65, 2.0)
        axes = (radius, radius * rng.uniform(0.9, 1.05), rng.uniform(0.95, 1.25))
        points = superellipsoid(directions, axes, rng.uniform(2.0, 2.5), rng.uniform(3.0, 4.2))
        out = vertex_normals(points, faces)

        # squeezed in its bag: broad dimples and a fold or two
        squeeze = 0.13 * rng.uniform(0.4, 1.2) * noise(points, 0.42) + 0.04 * rng.uniform(0.3, 1.3) * noise(points, 1.1)
        fold = noise.ridges(points + 30, 0.4, 10) * smoothstep(0.0, 0.5, noise(points + 60, 0.5))
        pores = 0.006 * rng.uniform(0.5, 1.4) * noise.fractal(points, 5.0, 2, 0.7)
        surface = Surface(points, faces, out, Material(rng.uniform(0.75, 0.95), rng.uniform(0.05, 0.2)))
        surface.displace(squeeze - 0.06 * rng.uniform(0.0, 1.0) * fold + pores)

        first = vary(_FOAMS[rng.integers(len(_FOAMS))], rng, 0.015, 0.25, 0.03)
        albedo = np.tile(first, (len(points), 1))
        if rng.random() < 0.4:  # two strands of foam, run together
            second = vary(_FOAMS[rng.integers(len(_FOAMS))], rng, 0.015, 0.25, 0.03)
            across = points @ np.array([np.cos(a := rng.uniform(0, np.pi)), np.sin(a), 0.0])
            edge = across + 0.35 * noise(points + 9, 0.7) - rng.uniform(-0.4, 0.4)
            albedo = blend(albedo, second, smoothstep(-0.25, 0.25, edge))
        sugar = smoothstep(0.15, 0.8, noise.fractal(points, 1.3, 3, 0.6) + 0.25 * noise(points, 8.0))
        albedo = blend(albedo, np.full(3, 0.86), rng.uniform(0.1, 0.45) * sugar)
        surface.albedo = albedo * 0.92
        return surface

"""A praline: a round of chocolate with a piped swirl on top, now and then drizzled or dusted."""

import numpy as np

from afrd.render.candy import Candy
from afrd.render.colour import blend, paint, vary
from afrd.render.noise import Noise, smoothstep
from afrd.render.surface import Material, Surface, dome_directions, superellipsoid, vertex_normals

_CHOCOLATES = [paint(code) for code in ("#4b2a1a", "#6d4126", "#8a5a36")]
_WHITE = paint("#ead9b8")


class ChocolatePraline(Candy):
    defect_scale = 1.2
    tilt = 2.5

    def build(self, rng: np.random.Generator, detail: float) -> Surface:
        noise = Noise(rng)
        directions, faces = dome_directions(round(220 * detail))
        radius = rng.uniform(1.85, 2.2)
        axes = (radius, radius * rng.uniform(0.95, 1.05), rng.uniform(0.9, 1.2))
        points = superellipsoid(directions, axes, 2.0, rng.uniform(2.3, 3.0))
        out = vertex_normals(points, faces)

        r, angle = np.hypot(points[:, 0], points[:, 1]) / radius, np.arctan2(points[:, 1], points[:, 0])
        r = r + 0.03 * noise(points, 0.8)
        arms, twist = int(rng.integers(6, 10)), rng.uniform(1.6, 3.0)
        phase = arms * angle + arms * twist * (1 - r) + 0.5 * noise(points, 1.0)
        # a star-shaped nozzle: round ridges, sharp valleys, laid down turning and pulled up to a tip
        ridge = 1 - np.abs(np.cos(phase / 2))
        reach = smoothstep(0.97, 0.75, r) * smoothstep(0.03, 0.2, r)
        swirl = -0.20 * rng.uniform(0.75, 1.15) * ridge**1.7 * reach
        tip = 0.28 * rng.uniform(0.5, 1.2) * np.exp(-((r / 0.16) ** 2))
        lumps = 0.05 * rng.uniform(0.3, 1.2) * noise(points, 0.6) + 0.008 * noise(points, 2.5)
        drizzle = np.zeros(len(points))
        if rng.random() < 0.45:
            along = points @ np.array([np.cos(a := rng.uniform(0, np.pi)), np.sin(a), 0.0])
            wave = along * rng.uniform(1.6, 2.4) + 0.45 * noise(points, 0.7) + rng.uniform()
            drizzle = smoothstep(0.115, 0.08, np.abs(wave % 1.0 - 0.5)) * (points[:, 2] > 0)

        surface = Surface(
            points, faces, out, Material(rng.uniform(0.35, 0.5), 0.5, rng.uniform(0.0, 0.4), rng.uniform(0.7, 0.85))
        )
        surface.displace(swirl + tip + lumps + 0.03 * drizzle + 0.003 * noise(points, 6.0))

        body = vary(_CHOCOLATES[rng.integers(3)], rng, 0.008, 0.08, 0.08)
        other = vary(_WHITE if rng.random() < 0.6 else _CHOCOLATES[rng.integers(3)], rng, 0.01, 0.1, 0.05)
        albedo = np.tile(body, (len(points), 1)) * (1 + 0.10 * noise.fractal(points, 1.4, 3, 0.6))[:, None]
        dust = smoothstep(0.1, 0.9, noise.fractal(points, 3.0, 2, 0.7) + 0.3 * (1 - ridge))
        albedo = blend(albedo, paint("#a87c56"), rng.uniform(0, 0.35) * dust)
        surface.albedo = blend(albedo, other, drizzle)
        return surface

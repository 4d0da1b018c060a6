"""A cookie: matte, uneven, cracked, crumbly, with chips of dark chocolate. All of it looks like small defects."""

import numpy as np

from afrd.render.candy import Candy
from afrd.render.colour import blend, paint, vary
from afrd.render.noise import Noise, nearest, smoothstep
from afrd.render.surface import Material, Surface, dome_directions, superellipsoid, vertex_normals

_DOUGH, _BAKED, _CHIP = paint("#a8733f"), paint("#6b4020"), paint("#3a2114")


class ChocolateCookie(Candy):
    defect_scale = 1.6
    tilt = 2.0

    def build(self, rng: np.random.Generator, detail: float) -> Surface:
        noise = Noise(rng)
        directions, faces = dome_directions(round(210 * detail))
        radius = rng.uniform(2.15, 2.65)
        axes = (radius, radius * rng.uniform(0.93, 1.07), rng.uniform(0.42, 0.62))
        points = superellipsoid(directions, axes, 2.0, rng.uniform(2.4, 3.0))
        outline = 1 + 0.06 * noise(directions * 0.7, 1.0) + 0.025 * noise(directions, 3.2)
        points = points * np.stack([outline, outline, np.ones_like(outline)], axis=1)
        out = vertex_normals(points, faces)

        waves = 0.07 * rng.uniform(0.6, 1.3) * noise(points, 0.55)
        lumps = 0.05 * rng.uniform(0.6, 1.3) * noise.fractal(points, 1.5, 3, 0.5)
        # cracks open where two long waves agree, as they do when the dough rises
        crack = noise.ridges(points + 0.15 * noise.vectors(points, 1.6), 0.75, 14) * smoothstep(
            -0.1, 0.45, noise(points + 50, 0.5)
        )
        crumb = noise.fractal(points, 5.5, 3, 0.65)
        pits = smoothstep(0.42, 0.75, noise(points, 4.2)) * 0.05
        chip, chip_mask = self._chips(rng, noise, points, radius)
        surface = Surface(points, faces, out, Material(rng.uniform(0.6, 0.8), rng.uniform(0.15, 0.3)))
        rough = (1 - 0.8 * chip_mask) * (0.026 * rng.uniform(0.7, 1.3) * crumb - pits)
        surface.displace(waves + lumps - 0.11 * rng.uniform(0.4, 1.2) * crack + rough + chip)

        dough = vary(blend(_DOUGH, _BAKED, rng.uniform(0, 0.6, 1))[0], rng, 0.008, 0.08, 0.06)
        albedo = np.tile(dough, (len(points), 1))
        edge = smoothstep(0.72, 1.0, np.linalg.norm(points[:, :2], axis=1) / radius)
        baked = np.clip(edge * rng.uniform(0.2, 0.7) + 0.35 * noise(points, 0.8) + 0.25 * crumb, 0, 1)
        albedo = blend(albedo, np.tile(dough * 0.45, (len(points), 1)), baked)
        albedo *= (1 + 0.16 * noise(points, 7.0) - 0.35 * crack)[:, None]
        surface.albedo = blend(albedo, vary(_CHIP, rng, 0.01, 0.1, 0.15), chip_mask)
        return surface

    @staticmethod
    def _chips(rng: np.random.Generator, noise: Noise, points: np.ndarray, radius: float):
        """Height and cover, [V] each, of chocolate chips that stick out of the dough."""
        count = int(rng.integers(3, 12))
        angle, far = rng.uniform(0, 2 * np.pi, count), radius * 0.86 * np.sqrt(rng.uniform(0, 1, count))
        centres = np.stack([far * np.cos(angle), far * np.sin(angle), np.full(count, 0.45)], axis=1)
        flat = points * np.array([1, 1, 0]) + np.array([0, 0, 0.45])
        distance, index = nearest(flat, centres, 1)
        size = rng.uniform(0.13, 0.27, count)[index[:, 0]] * (1 + 0.35 * noise(points, 2.6))
        d = np.where(points[:, 2] > 0, distance[:, 0] / size, 9.0)
        height = rng.uniform(0.01, 0.09, count)[index[:, 0]] * np.clip(1 - d**2, 0, 1) ** 0.7
        return height, smoothstep(1.08, 0.9, d)

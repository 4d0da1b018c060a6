"""A peppermint: a round boiled sweet with a pinwheel of stripes, hard and shining."""

import numpy as np

from afrd.render.candy import Candy
from afrd.render.colour import blend, paint, vary
from afrd.render.noise import Noise, smoothstep
from afrd.render.surface import Material, Surface, dome_directions, superellipsoid, vertex_normals

_STRIPES = [paint(code) for code in ("#c8202c", "#2f9048", "#d6608f", "#2c7fb5")]
_BASE = paint("#f2ede4")


class PeppermintCandy(Candy):
    tilt = 3.0

    def build(self, rng: np.random.Generator, detail: float) -> Surface:
        noise = Noise(rng)
        directions, faces = dome_directions(round(200 * detail))
        radius = rng.uniform(1.9, 2.3)
        axes = (radius, radius * rng.uniform(0.95, 1.05), rng.uniform(0.7, 0.95))
        points = superellipsoid(directions, axes, 2.0, rng.uniform(2.2, 2.8))
        out = vertex_normals(points, faces)

        r, angle = np.hypot(points[:, 0], points[:, 1]) / radius, np.arctan2(points[:, 1], points[:, 0])
        arms, twist = int(rng.integers(5, 9)), rng.uniform(0.5, 1.6) * rng.choice([-1, 1])
        warp = 0.12 * noise(points, 0.9) + 0.03 * noise(points, 3.5)
        phase = (arms * (angle + twist * np.clip(1 - r, 0, 1) ** 1.5) / (2 * np.pi) + arms * 0.12 * warp) % 1.0
        soft = rng.uniform(0.02, 0.05) / np.maximum(r, 0.12)
        half = rng.uniform(0.18, 0.27)
        distance = np.abs(phase - 0.5)
        stripe = np.clip((half + soft - distance) / (2 * soft), 0, 1)
        thin = np.zeros_like(stripe)
        if rng.random() < 0.5:
            thin = np.clip((0.035 + soft - np.abs(phase - rng.uniform(0.03, 0.1))) / (2 * soft), 0, 1)

        surface = Surface(
            points, faces, out, Material(rng.uniform(0.25, 0.4), 0.5, rng.uniform(0.5, 1.0), rng.uniform(0.8, 0.94))
        )
        grooves = 0.018 * rng.uniform(0.2, 1.2) * np.cos(2 * np.pi * phase) * smoothstep(0.1, 0.5, r)
        dimple = -0.10 * rng.uniform(0.0, 1.0) * np.exp(-((r / 0.35) ** 2))
        lumps = 0.05 * rng.uniform(0.4, 1.2) * noise(points, 0.45) + 0.012 * noise(points, 1.3)
        surface.displace(grooves + dimple + lumps + 0.003 * noise(points, 5.0))

        first, second = rng.choice(len(_STRIPES), 2, p=[0.45, 0.25, 0.15, 0.15], replace=False)
        colour = vary(_STRIPES[first], rng, 0.01, 0.08, 0.08)
        other = colour if rng.random() < 0.6 else vary(_STRIPES[second], rng, 0.01, 0.08, 0.08)
        albedo = blend(np.tile(vary(_BASE, rng, 0.02, 0.3, 0.02), (len(points), 1)), colour, stripe)
        albedo = blend(albedo, other, thin * rng.uniform(0.6, 1.0))
        surface.albedo = 0.9 * albedo * (1 + 0.06 * noise.fractal(points, 1.2, 3, 0.6))[:, None]
        return surface

"""Licorice between sugar paste: a rounded block whose layers, seen from the side, differ in colour and height."""

import numpy as np

from afrd.render.candy import Candy
from afrd.render.colour import blend, paint, vary
from afrd.render.noise import Noise, smoothstep
from afrd.render.surface import Material, Surface, dome_directions, superellipsoid, vertex_normals

_PASTES = [paint(code) for code in ("#f3ece0", "#eaa3b4", "#f0cf63", "#f0a05a", "#9cc9de", "#b6d08a")]
_LICORICE = paint("#2a2422")


class LicoriceSandwich(Candy):
    turn = 35.0
    tilt = 2.0

    def build(self, rng: np.random.Generator, detail: float) -> Surface:
        noise = Noise(rng)
        directions, faces = dome_directions(round(210 * detail), square=True)
        axes = (rng.uniform(1.65, 1.95), rng.uniform(1.45, 1.75), rng.uniform(0.95, 1.25))
        points = superellipsoid(directions, axes, rng.uniform(5.0, 8.0), rng.uniform(5.0, 8.0))
        # cut by a blunt knife: no side is quite straight
        points[:, 0] *= 1 + rng.normal(0, 0.04) * points[:, 1] / axes[1]
        points[:, 1] += rng.normal(0, 0.08) * points[:, 0]
        out = vertex_normals(points, faces)

        layers = 5 if rng.random() < 0.7 else 3
        widths = rng.uniform(0.8, 1.25, layers)
        edges = axes[0] * (2 * np.cumsum(widths) / widths.sum() - 1)[:-1]
        x = points[:, 0] + 0.07 * noise(points, 0.6) + 0.02 * noise(points, 2.2)
        soft = rng.uniform(0.012, 0.03)
        lift = rng.normal(0, 0.035, layers)
        black_first = layers == 3 or rng.random() < 0.6
        paste = [vary(_PASTES[i], rng, 0.012, 0.12, 0.04) for i in rng.choice(len(_PASTES), 2, replace=False)]
        licorice = vary(_LICORICE, rng, 0.03, 0.3, 0.2)
        outer, inner = paste if rng.random() < 0.3 else (paste[0], paste[0])
        height = np.full(len(points), lift[0])
        albedo = np.tile(licorice if black_first else outer, (len(points), 1))
        for i, edge in enumerate(edges, start=1):
            dark = (i % 2 == 0) == black_first
            beyond = smoothstep(edge - soft, edge + soft, x)
            height = height + (lift[i] - height) * smoothstep(edge - 3 * soft, edge + 3 * soft, x)
            albedo = blend(albedo, licorice if dark else (inner if i == layers // 2 else outer), beyond)
        seam = sum(np.exp(-(((x - edge) / 0.035) ** 2)) for edge in edges)

        surface = Surface(points, faces, out, Material(rng.uniform(0.45, 0.65), rng.uniform(0.3, 0.5)))
        rough = 0.006 * rng.uniform(0.5, 1.5) * noise.fractal(points, 4.5, 2, 0.7)
        lumps = 0.05 * rng.uniform(0.4, 1.2) * noise(points, 0.5) + 0.015 * noise(points, 1.6)
        surface.displace(height - 0.03 * rng.uniform(0.3, 1.2) * seam + lumps + rough)
        grain = 1 + 0.05 * noise.fractal(points, 2.0, 3, 0.7) + 0.05 * noise(points, 9.0)
        surface.albedo = 0.92 * albedo * grain[:, None]
        return surface

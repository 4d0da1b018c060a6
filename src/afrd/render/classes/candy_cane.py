"""A striped cane: any direction, any hook, any colours; hard sugar with a soft gloss. No two look alike."""

import numpy as np

from afrd.render.candy import Candy
from afrd.render.colour import blend, paint, vary
from afrd.render.noise import Noise, smoothstep
from afrd.render.surface import Material, Surface, tube, vertex_normals

_BASES = [paint(code) for code in ("#f3efe6", "#f1e3c0", "#f0c9cf")]
_STRIPES = [paint(code) for code in ("#c3202b", "#2d8a46", "#2d5cae", "#d9679a", "#e0812c", "#7a3f98")]


class CandyCane(Candy):
    turn = 50.0
    tilt = 1.5

    def build(self, rng: np.random.Generator, detail: float) -> Surface:
        noise = Noise(rng)
        line, along = self._line(rng, round(420 * detail))
        thick = rng.uniform(0.36, 0.47)
        length = along[-1]
        end = np.minimum(along, length - along) / (0.75 * thick)
        # rounded ends; the sugar was pulled by hand, so the rod swells and thins
        rounded = np.sqrt(np.clip(1 - (1 - np.clip(end, 0, 1)) ** 2, 4e-4, 1))
        wobble = noise(np.stack([along, 0 * along, 0 * along], axis=1), 0.8)
        radius = (
            thick * rounded * (1 + rng.uniform(0.01, 0.04) * wobble) * np.linspace(1, rng.uniform(0.9, 1.0), len(along))
        )
        points, faces, angle = tube(line, radius, round(96 * detail))
        out = vertex_normals(points, faces)
        s = np.repeat(along, len(angle) // len(along))

        hand = 1.0 if rng.random() < 0.85 else -1.0
        pitch = rng.uniform(0.95, 1.6)
        warp = 0.10 * noise(points, 1.1) + 0.02 * noise(points, 4.0)
        phase = (s / pitch + hand * angle / (2 * np.pi) + warp + rng.uniform()) % 1.0
        soft = rng.uniform(0.012, 0.04)
        broad = _stripe(phase, 0.25, rng.uniform(0.17, 0.24), soft)
        thin = np.zeros_like(broad)
        if rng.random() < 0.75:
            for centre in (0.66, 0.80)[: rng.integers(1, 3)]:
                thin = np.maximum(thin, _stripe(phase, centre, rng.uniform(0.022, 0.04), soft))

        surface = Surface(
            points,
            faces,
            out,
            Material(rng.uniform(0.3, 0.45), 0.5, rng.uniform(0.3, 0.9), rng.uniform(0.75, 0.92)),
        )
        twist = 0.012 * rng.uniform(0, 1.2) * np.cos(2 * np.pi * 2 * phase)
        peel = 0.004 * noise(points, 4.5) + 0.012 * noise(points, 1.2)
        surface.displace((twist + peel) * np.repeat(rounded, len(angle) // len(along)))

        base = vary(_BASES[rng.choice(3, p=[0.7, 0.15, 0.15])], rng, 0.01, 0.2, 0.03)
        first, second = rng.choice(len(_STRIPES), 2, replace=False)
        colour = vary(_STRIPES[first], rng, 0.012, 0.08, 0.08)
        other = colour if rng.random() < 0.6 else vary(_STRIPES[second], rng, 0.012, 0.08, 0.08)
        albedo = blend(np.tile(base, (len(points), 1)), colour, broad * rng.uniform(0.88, 1.0))
        albedo = blend(albedo, other, thin * rng.uniform(0.8, 1.0))
        surface.albedo = albedo * (1 + 0.06 * noise.fractal(points, 1.5, 3, 0.6))[:, None]
        return surface

    @staticmethod
    def _line(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Middle line of the rod in the plane, [count, 3] cm, and the length along it, [count]."""
        shaft, bend = rng.uniform(3.4, 4.2), rng.uniform(0.72, 0.92)
        turn = np.radians(rng.uniform(165, 215))
        total = shaft + bend * turn
        s = np.linspace(0, total, count)
        sway = rng.normal(0, 0.035)
        heading = np.where(s < shaft, np.pi / 2 + sway * np.sin(s / shaft * np.pi), np.pi / 2 - (s - shaft) / bend)
        # a real bend starts gently
        width = max(3, count // 25)
        heading = np.convolve(np.pad(heading, width, mode="edge"), np.full(width, 1 / width), mode="same")[width:-width]
        step = total / (count - 1)
        x, y = np.cumsum(np.cos(heading)) * step, np.cumsum(np.sin(heading)) * step
        if rng.random() < 0.5:
            x = -x
        return np.stack([x, y, np.zeros(count)], axis=1), s


def _stripe(phase: np.ndarray, centre: float, half: float, soft: float) -> np.ndarray:
    """Cover of a stripe around `centre` of a phase that wraps at 1."""
    distance = np.abs((phase - centre + 0.5) % 1.0 - 0.5)
    return smoothstep(half + soft, half - soft, distance)

"""The four kinds of defect, put into the part itself: geometry, colour or fine surface, never into the picture.

Each is drawn anew in size, outline, place and strength, from plain to barely visible, whatever the class. Its footprint
is a weight per vertex, 1 at its strongest; a mask is where the camera sees it above `FOOTPRINT`. Knows no renderer and
no files.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from afrd.imaging.pixels import to_linear, to_srgb
from afrd.render.colour import blend
from afrd.render.noise import Noise, smoothstep
from afrd.render.surface import Surface, unit

KINDS = ("bumps", "dents", "colors", "normals")
FOOTPRINT = 0.15
"""A pixel belongs to a defect's mask from this share of the defect's strongest effect on."""


@dataclass(frozen=True)
class Defect:
    """One defect as drawn.

    kind: one of KINDS. form: the variant. radius: cm. place: [3] cm on the belt.
    strength: bumps and dents: cm; colors: opacity of the stain, 0..1; normals: slope.
    """

    kind: str
    form: str
    radius: float
    strength: float
    place: tuple[float, float, float]


def draw_kinds(rng: np.random.Generator) -> tuple[str, ...]:
    """Which kinds a bad part has: mostly one, sometimes two or three; in the order of KINDS."""
    count = rng.choice([1, 2, 3], p=[0.76, 0.19, 0.05])
    chosen = set(rng.choice(KINDS, count, replace=False))
    return tuple(kind for kind in KINDS if kind in chosen)


def add_defect(
    kind: str, surface: Surface, rng: np.random.Generator, scale: float, shrink: float = 1.0
) -> tuple[Surface, np.ndarray, Defect]:
    """The surface with one more defect, its footprint [V] and how it was drawn. The given surface is left as it is.

    scale: height or slope of defects on this class relative to a smooth part (their breadth goes with its root).
    shrink: breadth, and the grain within, relative to what is drawn; no defect is higher than it is broad.
    """
    facing = np.flatnonzero(surface.out[:, 2] > 0.5)
    centre = int(facing[rng.integers(len(facing))])
    surface = replace(surface, albedo=surface.albedo.copy(), relief=surface.relief.copy())
    form, radius, strength, weight = _APPLY[kind](surface, centre, rng, scale, shrink)
    place = tuple(round(float(v), 4) for v in surface.vertices[centre])
    return surface, np.abs(weight), Defect(kind, form, round(float(radius), 4), round(float(strength), 4), place)


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    """Log-uniform: as many faint as strong ones in every octave."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _distance(
    surface: Surface, centre: int, radius: float, rng: np.random.Generator, stretch: float = 1.9
) -> np.ndarray:
    """Distance to the vertex `centre` in units of an irregular, stretched outline: 1 on the outline. [V]"""
    normal = surface.out[centre]
    along = unit(np.cross(normal, rng.normal(size=3)))
    across = np.cross(normal, along)
    offset = surface.vertices - surface.vertices[centre]
    aspect = rng.uniform(1, stretch) ** 0.5
    u, v, w = offset @ along / aspect, offset @ across * aspect, offset @ normal
    noise = Noise(rng)
    d = np.sqrt(u**2 + v**2 + w**2) / radius
    d = d * (1 + 0.4 * noise(offset, 0.8 / radius) + 0.15 * noise(offset, 2.2 / radius))
    # not through a thin part to its other side
    return np.where(surface.out @ normal > -0.2, d, 99.0)


def _cluster(surface: Surface, centre: int, radius: float, rng: np.random.Generator, lobes: int) -> np.ndarray:
    """The least distance to `centre` and to further places around it. [V]"""
    d = _distance(surface, centre, radius, rng)
    around = np.flatnonzero((d > 0.6) & (d < 2.5))
    for _ in range(lobes - 1):
        if len(around):
            other = int(around[rng.integers(len(around))])
            d = np.minimum(d, _distance(surface, other, radius * rng.uniform(0.4, 0.9), rng))
    return d


def _groove(surface: Surface, centre: int, width: float, rng: np.random.Generator) -> np.ndarray:
    """Distance to a short, crooked line through `centre`, in units of its half-width. [V]"""
    normal = surface.out[centre]
    along = unit(np.cross(normal, rng.normal(size=3)))
    across = np.cross(normal, along)
    offset = surface.vertices - surface.vertices[centre]
    u, v = offset @ along, offset @ across
    half = width * rng.uniform(3, 9)
    v = v + rng.normal(0, 0.25) * u**2 / half + 0.3 * width * Noise(rng)(offset, 0.35 / width)
    d = np.hypot(v, np.maximum(np.abs(u) - half, 0)) / (width * (1.05 - 0.5 * np.clip(np.abs(u) / half, 0, 1)))
    return np.where((surface.out @ normal > -0.2) & (np.abs(offset @ normal) < half), d, 99.0)


def _bumps(surface: Surface, centre: int, rng: np.random.Generator, scale: float, shrink: float):
    radius, height = _between(rng, 0.3, 0.95) * scale**0.5 * shrink, _between(rng, 0.05, 0.32) * scale
    form = str(rng.choice(["swelling", "blister", "crumb"]))
    height = min(height, 0.5 * radius)
    d = _cluster(surface, centre, radius, rng, int(rng.integers(1, 4)))
    if form == "swelling":
        weight = np.clip(1 - d**2, 0, 1) ** 2
    elif form == "blister":
        weight = smoothstep(1.0, 0.45, d)
    else:
        rough = Noise(rng).fractal(surface.vertices, 0.9 / radius, 3, 0.7)
        weight = smoothstep(1.0, 0.6, d) * np.clip(0.7 + 0.6 * rough, 0.1, 1.4)
    weight = weight / max(float(weight.max()), 1e-9)
    surface.displace(height * weight)
    return form, radius, height, weight


def _dents(surface: Surface, centre: int, rng: np.random.Generator, scale: float, shrink: float):
    form = str(rng.choice(["pit", "chip", "groove"], p=[0.45, 0.35, 0.2]))
    depth = _between(rng, 0.05, 0.32) * scale
    if form == "groove":
        radius = _between(rng, 0.08, 0.17) * scale**0.5 * shrink
        depth = min(depth, 0.8 * radius)
        d = _groove(surface, centre, radius, rng)
        weight = np.clip(1 - d**2, 0, 1)
    else:
        radius = _between(rng, 0.3, 0.95) * scale**0.5 * shrink
        depth = min(depth, 0.5 * radius)
        d = _cluster(surface, centre, radius, rng, int(rng.integers(1, 3)))
        if form == "pit":
            weight = np.clip(1 - d**2, 0, 1) ** 2
        else:
            rough = Noise(rng).fractal(surface.vertices, 1.1 / radius, 3, 0.6)
            weight = smoothstep(1.0, 0.7, d) * np.clip(0.8 + 0.35 * rough, 0.2, 1.2)
    weight = weight / max(float(weight.max()), 1e-9)
    surface.displace(-depth * weight)
    return form, radius, depth, weight


def _colors(surface: Surface, centre: int, rng: np.random.Generator, scale: float, shrink: float):
    form = str(rng.choice(["stain", "speckles", "streak"], p=[0.55, 0.25, 0.2]))
    radius, opacity = _between(rng, 0.3, 0.95) * scale**0.5 * shrink, _between(rng, 0.35, 1.0)
    if form == "streak":
        radius = _between(rng, 0.08, 0.16) * scale**0.5 * shrink
        d = _groove(surface, centre, radius, rng)
    elif form == "speckles":
        d = _distance(surface, centre, radius * 1.2, rng)
        spots = smoothstep(0.05, 0.3, Noise(rng)(surface.vertices, rng.uniform(2.2, 4.5) / shrink))
        d = np.where(d < 1, 1.1 - spots * smoothstep(1.0, 0.8, d), 99.0)
    else:
        d = _cluster(surface, centre, radius, rng, int(rng.integers(1, 4)))
    weight = smoothstep(1.0, rng.uniform(0.1, 0.9) if form == "stain" else 0.7, d)
    weight = weight / max(float(weight.max()), 1e-9)
    local = surface.albedo[weight > 0.5].mean(axis=0) if (weight > 0.5).any() else surface.albedo[centre]
    surface.albedo[:] = blend(surface.albedo, _other_colour(local, rng), opacity * weight)
    return form, radius, opacity, weight


def _other_colour(local: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A colour that can be told from the local one: burnt, bleached, or foreign."""
    seen = to_srgb(local)
    while True:
        way = rng.random()
        if way < 0.35:
            other = seen * rng.uniform(0.2, 0.6)
        elif way < 0.6:
            other = seen + (1 - seen) * rng.uniform(0.35, 0.8)
        else:
            other = rng.uniform(0.05, 0.9, 3)
        if np.linalg.norm(other - seen) > 0.35:
            return to_linear(other)


def _normals(surface: Surface, centre: int, rng: np.random.Generator, scale: float, shrink: float):
    form = str(rng.choice(["grain", "scratches", "smear"], p=[0.45, 0.35, 0.2]))
    radius, slope = _between(rng, 0.35, 1.0) * scale**0.5 * shrink, _between(rng, 0.3, 1.4) * scale
    d = _cluster(surface, centre, radius, rng, int(rng.integers(1, 3)))
    weight = smoothstep(1.0, 0.65, d)
    weight = weight / max(float(weight.max()), 1e-9)
    noise, points = Noise(rng), surface.vertices
    if form == "grain":
        bend = noise.vectors(points, rng.uniform(3.0, 9.0) / shrink) * 2.2
    elif form == "scratches":
        normal = surface.out[centre]
        across = unit(np.cross(normal, rng.normal(size=3)))
        lines = (points @ across)[:, None] * np.array([1.0, 0, 0]) + 0.06 * (points @ np.cross(normal, across))[:, None]
        bend = across * (noise.fractal(lines, rng.uniform(5.0, 9.0) / shrink, 2, 0.7) * 2.4)[:, None]
    else:
        # rubbed smooth: the light no longer sees the relief; a little of a common lean tells it on smooth parts too
        lean = unit(np.cross(surface.out[centre], rng.normal(size=3)))
        slope = min(1.0, slope * 2)
        bend = surface.out - surface.normals() - surface.relief + 0.35 * lean
    surface.relief[:] = surface.relief + bend * (slope * weight)[:, None]
    return form, radius, slope, weight


_Apply = Callable[[Surface, int, np.random.Generator, float, float], tuple[str, float, float, np.ndarray]]
_APPLY: dict[str, _Apply] = {
    "bumps": _bumps,
    "dents": _dents,
    "colors": _colors,
    "normals": _normals,
}

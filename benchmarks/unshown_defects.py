"""Six kinds of defect that the renderer does not have, put into a part's surface and seen by it, one a part.

Sizes are log-uniform, in pixels of a picture of 256 as the camera sees them; heights and depths are uniform, in widths,
and those of scratches, cracks and chips times the class's `defect_scale`. A mask is where the footprint is seen, as the
renderer's: 12 pixels of it at least, and half of what was drawn of lines and crumbs, a third of chips and spots.

    scratch  length 15 to 60, width 1 to 3, nearly straight, thin at its ends; 0.1 to 0.3 deep; 10 to 30 % of the way
             to white
    crack    length 15 to 60, width 1 to 2, jagged, one to three branches; 0.6 to 1.5 deep; 0.15 to 0.5 of the colour
    chip     8 to 24 across, 0.15 to 0.35 of that deep: at the part's outline, down to a plane within five to seven
             straight edges, 30 to 60 % of the way to black or white
    fibre    length 20 to 60, width 1 to 2, curled, half a width to one high; another colour
    crumbs   3 to 8 specks, 2 to 5 across, within 6 to 15 of a middle, 0.3 to 0.6 high; another colour
    gloss    a spot of 6 to 20 across, where a spotlight is mirrored: roughness of 0.05 to 0.12 under a clear coat, the
             fine relief gone. A surface has one material, but what its roughness and coat are is handed to the
             renderer as it is: here a texture in space, so the spot does shine. Geometry and colour stay.
"""

import zlib
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from afrd.imaging.pixels import to_linear, to_srgb
from afrd.render import CLASSES, LIGHT_DIRECTIONS
from afrd.render.colour import blend
from afrd.render.defects import FOOTPRINT
from afrd.render.engine import mitsuba
from afrd.render.noise import smoothstep
from afrd.render.rig_file import AIM
from afrd.render.stage import CAMERA_HEIGHT, FOCAL, SPOT_DISTANCE, SPOTS, Exposure, observe, on_picture
from afrd.render.surface import Surface, unit

PICTURE = 256
LEAST = 12  # pixels of a mask
TRIES = 50
Stroke = tuple[np.ndarray, np.ndarray]  # points [K, 2] and half-widths [K], pixels
Spoilt = tuple[Surface, np.ndarray, float]  # footprint [V]; twice what must be seen of it, pixels


def between(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def walk(rng: np.random.Generator, length: float, step: float, bend: float, jag: float, curl: float = 0) -> np.ndarray:
    """Points around (0, 0), [K, 2]: bend and jag in radians a step, the one adding up, curl that of one way round."""
    count = max(2, round(length / step))
    turns = rng.uniform(0, 2 * np.pi) + rng.normal(0, bend, count).cumsum() + rng.normal(0, jag, count)
    turns += rng.normal(0, curl) * np.arange(count)
    points = np.concatenate([np.zeros((1, 2)), np.cumsum(np.stack([np.cos(turns), np.sin(turns)], 1), 0)])
    return (points - points.mean(0)) * (length / count)


def tapered(points: np.ndarray, width: float) -> Stroke:
    return points, width / 2 * (0.35 + 0.65 * np.sin(np.linspace(0, np.pi, len(points))) ** 0.5)


def scratch(rng: np.random.Generator) -> list[Stroke]:
    return [tapered(walk(rng, between(rng, 15, 60), 3, 0.03, 0), between(rng, 1, 3))]


def crack(rng: np.random.Generator) -> list[Stroke]:
    length, width = between(rng, 15, 60), between(rng, 1, 2)
    main = walk(rng, length, rng.uniform(2.5, 5), 0.1, 0.6)
    branches = []
    for at in rng.integers(1, max(2, len(main) - 1), rng.integers(1, 4)):
        branch = walk(rng, length * rng.uniform(0.2, 0.4), 3, 0.1, 0.5)
        branches.append((branch - branch[0] + main[at], np.linspace(0.45 * width, 0.2 * width, len(branch))))
    return [tapered(main, width), *branches]


def fibre(rng: np.random.Generator) -> list[Stroke]:
    points = walk(rng, between(rng, 20, 60), 1.5, 0.12, 0, curl=0.05)
    return [(points, np.full(len(points), between(rng, 1, 2) / 2))]


def crumbs(rng: np.random.Generator) -> list[Stroke]:
    spread, specks = between(rng, 6, 15), []
    for _ in range(rng.integers(3, 9)):
        across = between(rng, 2, 5)
        middle = spread * rng.uniform() ** 0.5 * unit(rng.normal(size=2))
        specks.append((middle + walk(rng, 0.4 * across, 0.2 * across, 0, 1), across * np.array([0.25, 0.3, 0.2])))
    return specks


def distance(at: np.ndarray, strokes: list[Stroke], wider: float = 0) -> np.ndarray:
    """Of points [V, 2] from the nearest stroke's middle, in its half-widths there, [V]."""
    nearest = np.full(len(at), np.inf)
    for points, halves in strokes:
        for (a, b), (low, high) in zip(pairwise(points), pairwise(halves + wider), strict=True):
            share = ((at - a) @ (b - a) / ((b - a) @ (b - a))).clip(0, 1)
            off = np.linalg.norm(at - a - share[:, None] * (b - a), axis=1)
            nearest = np.minimum(nearest, off / (low + share * (high - low)))
    return nearest


def finer(surface: Surface, near: Callable[[np.ndarray], np.ndarray], times: int = 2) -> Surface:
    """Triangles that have a corner near are parted in four, so that lines of a pixel can be bent in; looks the same."""
    faces, values = surface.faces, [surface.vertices, surface.out, surface.albedo, surface.shading_normals()]
    for _ in range(times):
        parted = near(on_picture(values[0], PICTURE))[faces].any(1)
        a, b, c = faces[parted].T
        sides = np.sort(np.stack([a, b, b, c, c, a], 1).reshape(-1, 2), 1)
        ends, index = np.unique(sides, axis=0, return_inverse=True)
        ab, bc, ca = (len(values[0]) + index.reshape(-1, 3)).T
        corners = ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))
        faces = np.concatenate([faces[~parted], *(np.stack(three, 1) for three in corners)])
        values = [np.concatenate([each, each[ends].mean(1)]) for each in values]
    fine = Surface(values[0], faces, unit(values[1]), surface.material, values[2])
    fine.relief = unit(values[3]) - fine.normals()
    return fine


def other_colour(local: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    while True:
        colour = rng.uniform(0.04, 0.95, 3)
        if np.linalg.norm(colour - to_srgb(local)) > 0.35:
            return to_linear(colour)


def drawn(kind: str, surface: Surface, rng: np.random.Generator, scale: float) -> Spoilt:
    """Scratch, crack, fibre or crumbs, through a place that faces the camera."""
    facing = np.flatnonzero(surface.out[:, 2] > 0.5)
    centre = facing[rng.integers(len(facing))]
    middle, local = on_picture(surface.vertices[centre], PICTURE), surface.albedo[centre]
    strokes = [(points + middle, halves) for points, halves in STROKES[kind](rng)]
    pixel = (CAMERA_HEIGHT - surface.vertices[centre, 2]) / (FOCAL * PICTURE)
    width = 2 * pixel * max(halves.max() for _, halves in strokes)
    surface = finer(surface, lambda at: distance(at, strokes, wider=2) < 1)
    d = np.where(surface.out[:, 2] > 0.1, distance(on_picture(surface.vertices, PICTURE), strokes), np.inf)
    lengths = [np.linalg.norm(np.diff(points, axis=0), axis=1).sum() for points, _ in strokes]
    area = sum(2 * half.mean() * (far + half.min()) for far, (_, half) in zip(lengths, strokes, strict=True))
    match kind:
        case "scratch":
            cover = smoothstep(1, 0.4, d)
            surface.displace(-rng.uniform(0.1, 0.3) * width * scale * cover)
            colour = surface.albedo + (1 - surface.albedo) * rng.uniform(0.1, 0.3)
        case "crack":
            cover = smoothstep(1, 0.4, d)
            surface.displace(-rng.uniform(0.6, 1.5) * width * scale * cover)
            colour = surface.albedo * rng.uniform(0.15, 0.5)
        case _:
            cover = smoothstep(1, 0.8, d)
            height = rng.uniform(0.5, 1) if kind == "fibre" else rng.uniform(0.3, 0.6)
            surface.displace(height * width * np.sqrt(np.clip(1 - d**2, 0, 1)))
            surface.relief *= 1 - cover[:, None]
            colour = other_colour(local, rng)
    surface.albedo = blend(surface.albedo, colour, cover)
    return surface, cover, area


def chip(surface: Surface, rng: np.random.Generator, scale: float) -> Spoilt:
    rim = np.flatnonzero((surface.out[:, 2] > 0.1) & (surface.out[:, 2] < 0.45))
    centre = rim[rng.integers(len(rim))]
    place, local = surface.vertices[centre], surface.albedo[centre]
    up = unit(surface.out[centre] + np.array([0, 0, 0.6]))
    across, middle = between(rng, 8, 24), on_picture(place, PICTURE)
    depth = rng.uniform(0.15, 0.35) * scale * across * (CAMERA_HEIGHT - place[2]) / (FOCAL * PICTURE)
    count = rng.integers(5, 8)
    angles = (np.arange(count) + rng.uniform(-0.3, 0.3, count)) * 2 * np.pi / count + rng.uniform(0, 2 * np.pi)
    edges, far = np.stack([np.cos(angles), np.sin(angles)]), across / 2 * rng.uniform(0.75, 1.1, count)

    def within(at: np.ndarray) -> np.ndarray:
        """Pixels from the nearest edge, negative outside."""
        return (far - (at - middle) @ edges).min(1)

    surface = finer(surface, lambda at: within(at) > -2)
    above = (surface.vertices - place) @ up + depth  # the plane that it broke along
    inside = (within(on_picture(surface.vertices, PICTURE)) / 0.7).clip(0, 1)
    surface.vertices = surface.vertices - up * (above.clip(0) * inside)[:, None]
    cover = inside * smoothstep(0, 0.25 * depth, above)
    surface.relief *= 1 - cover[:, None]
    seen, share = to_srgb(local), rng.uniform(0.3, 0.6)
    inner = to_linear(seen * (1 - share) if seen.mean() > rng.uniform(0.2, 0.8) else seen + (1 - seen) * share)
    surface.albedo = blend(surface.albedo, inner, cover)
    return surface, cover, across**2 / 2


def gloss(surface: Surface, rng: np.random.Generator, scale: float) -> Spoilt:
    camera = unit(np.array([0, 0, CAMERA_HEIGHT]) - surface.vertices)
    spots = [np.array(AIM) + SPOT_DISTANCE * np.array(LIGHT_DIRECTIONS[name]) - surface.vertices for name in SPOTS]
    mirrored = np.max([(surface.out * unit(camera + unit(spot))).sum(1) for spot in spots], axis=0)
    shining = np.flatnonzero(mirrored > min(np.cos(np.radians(3)), np.quantile(mirrored, 0.995)))
    place, across = surface.vertices[shining[rng.integers(len(shining))]], between(rng, 6, 20)
    radius = across / 2 * (CAMERA_HEIGHT - place[2]) / (FOCAL * PICTURE)
    cube = np.stack(np.meshgrid(*[np.linspace(-1.2, 1.2, 32)] * 3, indexing="ij"), -1)

    def cover(far: np.ndarray) -> np.ndarray:
        return smoothstep(1, 0.75, np.linalg.norm(far, axis=-1))

    def texture(base: float, spot: float) -> Any:
        mi, share = mitsuba(), cover(cube)[..., None]
        box = mi.ScalarTransform4f().translate((place - 1.2 * radius).tolist()).scale(float(2.4 * radius))
        grid = mi.VolumeGrid((base + (spot - base) * share).astype(np.float32))
        return {"type": "volume", "volume": {"type": "gridvolume", "grid": grid, "raw": True, "to_world": box}}

    material, footprint = surface.material, cover((surface.vertices - place) / radius)
    smooth = texture(material.roughness, rng.uniform(0.05, 0.12))
    material = replace(material, roughness=smooth, clearcoat=texture(material.clearcoat, 1.0))
    relief = surface.relief + (surface.out - surface.normals() - surface.relief) * footprint[:, None]
    return replace(surface, material=material, relief=relief), footprint, across**2 / 2


STROKES = {"scratch": scratch, "crack": crack, "fibre": fibre, "crumbs": crumbs}
KINDS = ("scratch", "crack", "chip", "fibre", "crumbs", "gloss")


def rendered(
    name: str, kind: str, index: int, seed: int, size: int = PICTURE, good: bool = False
) -> tuple[Exposure, np.ndarray]:
    """Part `index` of a class with one defect, and its mask [size, size]; `good`: as it was before, the mask empty."""
    key = [seed, zlib.crc32(name.encode()), zlib.crc32(f"unshown {kind}".encode()), index]
    shape, pose, spoil, scene = (np.random.default_rng(each) for each in np.random.SeedSequence(key).spawn(4))
    candy, state = CLASSES[name](), scene.bit_generator.state
    part = candy.place(candy.build(shape, float(np.clip(size / 256, 0.25, 2))), pose)
    if good:
        return observe(part, {}, size, scene), np.zeros((size, size), bool)
    for _ in range(TRIES):
        make = {"chip": chip, "gloss": gloss}.get(kind) or (lambda *rest: drawn(kind, *rest))
        surface, footprint, area = make(part, spoil, candy.defect_scale)
        least = max(LEAST, area / 2) * (size / PICTURE) ** 2
        scene.bit_generator.state = state
        seen = observe(
            surface, {kind: footprint}, size, scene, accept=lambda w, n=least: (w[kind] >= FOOTPRINT).sum() >= n
        )
        if seen is not None:
            return seen, seen.weights[kind] >= FOOTPRINT
    raise AssertionError(f"no place for a {kind} on {name} {index} in {TRIES} tries")

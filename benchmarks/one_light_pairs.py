"""Objects without and with one defect, all else equal, and captures in which one spot alone sees the defect.

For `one_light.py`. A facet is a physical one-sided case: a shallow saw tooth whose steep side faces one spot.
"""

import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.ndimage import uniform_filter

from afrd.files import atomic_path
from afrd.imaging.pixels import to_linear, to_srgb
from afrd.render.classes import CLASSES
from afrd.render.defects import FOOTPRINT, KINDS, add_defect
from afrd.render.noise import smoothstep
from afrd.render.stage import EXPOSURE, LIGHT_DIRECTIONS, LIGHTS, SPOTS, observe
from afrd.render.surface import unit

SIZE = 256
VISIBLE = 12  # grey levels of 255, largest difference of a channel in the mask, after a mean over 3×3 pixels
MIN_AREA = 0.0005  # of the image, as for rendered data sets
TRIES = 10
FACET_HEIGHT, FACET_GENTLE, FACET_STEEP, FACET_LENGTH = 0.08, 0.5, 0.17, 0.5  # cm; the steep side leans by 25°
KINDS_AND_FACET = (*KINDS, "facet")
ALL = LIGHTS.index("all_spots")
SPOT_NUMBERS = [LIGHTS.index(spot) for spot in SPOTS]


def difference(good: np.ndarray, bad: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Largest difference per light in the mask, in grey levels. good, bad: [N, 3, H, W] uint8."""
    change = np.abs(uniform_filter(bad.astype(np.float32) - good.astype(np.float32), (0, 0, 3, 3)))
    return (change * mask).max((1, 2, 3))


def compose(good: np.ndarray, bad: np.ndarray, k: int) -> np.ndarray:
    """The good capture with spot k of the bad one, and "all spots" as the sum that follows."""
    images = good.copy()
    images[k] = bad[k]
    added = to_linear(bad[k] / 255.0) - to_linear(good[k] / 255.0)
    every = to_linear(good[ALL] / 255.0) + added * (EXPOSURE["all_spots"] / EXPOSURE["spot"])
    images[ALL] = np.where(bad[k] == good[k], good[ALL], np.round(to_srgb(every) * 255))
    return images


def add_facet(surface, spot: str, rng: np.random.Generator, scale: float):
    """A saw tooth across the direction of a spot. Returns the surface and the footprint [V]."""
    facing = np.flatnonzero(surface.out[:, 2] > 0.8)
    centre = int(facing[rng.integers(len(facing))])
    normal = surface.out[centre]
    across = unit(np.cross(normal, np.array(LIGHT_DIRECTIONS[spot])))
    offset = surface.vertices - surface.vertices[centre]
    u, v = offset @ np.cross(across, normal), offset @ across  # u: along the surface, towards the spot
    rise, fall = 1 + u / FACET_GENTLE, 1 - u / (FACET_STEEP * scale**0.5)
    weight = np.clip(np.minimum(rise, fall), 0, 1) * smoothstep(FACET_LENGTH, 0.7 * FACET_LENGTH, np.abs(v))
    weight = np.where(surface.out @ normal > 0, weight, 0)
    surface = replace(surface, albedo=surface.albedo.copy(), relief=surface.relief.copy())
    surface.displace(FACET_HEIGHT * scale**0.5 * weight)
    return surface, weight


def render_pairs(folder: Path, name: str, number: int, seed: int) -> None:
    """Object `number` of a class, into `folder`: good.npz and, per kind, its defective twin. What is there stays."""
    todo = [kind for kind in KINDS_AND_FACET if not (folder / f"{kind}.npz").exists()]
    if not todo:
        return
    candy = CLASSES[name]()
    key = [seed, zlib.crc32(name.encode()), number]
    shape, pose, scene, *spoils = (np.random.default_rng(s) for s in np.random.SeedSequence(key).spawn(8))
    surface = candy.place(candy.build(shape, SIZE / 256), pose)
    state = scene.bit_generator.state

    def photograph(part, footprints):
        scene.bit_generator.state = state
        exposure = observe(part, footprints, SIZE, scene)
        return np.stack([exposure.images[light].transpose(2, 0, 1) for light in LIGHTS]), exposure.weights

    if not (folder / "good.npz").exists():
        save(folder / "good.npz", images=photograph(surface, {})[0])
    good = np.load(folder / "good.npz")["images"]
    spot = SPOTS[number % 4]
    for kind, rng in zip(KINDS_AND_FACET, spoils, strict=True):
        if kind not in todo:
            continue
        for draws in range(1, TRIES + 1):
            if kind == "facet":
                spoilt, footprint = add_facet(surface, spot, rng, candy.defect_scale)
                about = spot
            else:
                spoilt, footprint, defect = add_defect(kind, surface, rng, candy.defect_scale)
                about = defect.form
            images, weights = photograph(spoilt, {kind: footprint})
            mask = weights[kind] >= FOOTPRINT
            change = difference(good, images, mask)
            if mask.sum() >= MIN_AREA * SIZE**2 and change[SPOT_NUMBERS].max() >= VISIBLE:
                save(folder / f"{kind}.npz", images=images, mask=mask, change=change, draws=draws, about=about)
                break
        else:
            raise AssertionError(f"{name} {number}: no visible {kind} in {TRIES} draws")
        print(name, number, kind, about, draws, change.round().astype(int), flush=True)


def save(path: Path, **arrays) -> None:
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, **arrays)

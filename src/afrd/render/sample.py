"""One rendered object from its number: grown, spoilt where it is to be bad, photographed. Knows no files.

Every object has its own random streams, from (seed, class, split, index) alone: it comes out the same whoever renders
it, and when. Shape, pose, scene and defects have separate streams, so that an object and its defect-free twin share
everything else, down to the noise of the camera.
"""

import zlib
from dataclasses import dataclass

import numpy as np

from afrd.render.candy import Candy
from afrd.render.defects import FOOTPRINT, KINDS, Defect, add_defect, draw_kinds
from afrd.render.rig_file import Rig
from afrd.render.stage import Exposure, observe, on_picture
from afrd.render.surface import Material, Surface

_MIN_AREA = 0.0005  # of the image: a defect shows at least this much of itself
_TRIES = 25
_ROUNDS, _NEAR = 4, 0.05  # in which a defect is brought to a size, to within this share of it


@dataclass(frozen=True)
class Rendered:
    """One object as rendered.

    exposure: what the camera saw. kinds: the kinds of defect, empty for a good part.
    masks: per kind [H, W] bool. defects: as drawn. material: the surface's.
    """

    exposure: Exposure
    kinds: tuple[str, ...]
    masks: dict[str, np.ndarray]
    defects: tuple[Defect, ...]
    material: Material


def render_object(
    candy: Candy,
    split: str,
    index: int,
    *,
    bad: bool,
    seed: int,
    size: int,
    kinds: tuple[str, ...] | None = None,
    camera: bool = True,
    defect_size: tuple[float, float] | None = None,
    rig: Rig | None = None,
) -> Rendered:
    """Object `index` of a split; `bad=False` gives the good twin of a bad one.

    kinds: the kinds of defect it is to have; None draws them. camera, rig: see `observe`.
    defect_size: least and largest, in pixels, of the longer side of the box around a mask; None: whatever is drawn. The
        part is then modelled as finely as it is seen.
    """
    key = [seed, zlib.crc32(type(candy).__name__.encode()), zlib.crc32(split.encode()), index]
    shape, pose, spoil, scene = (np.random.default_rng(s) for s in np.random.SeedSequence(key).spawn(4))
    finest = 2 if defect_size is None else 16
    good = candy.place(candy.build(shape, float(np.clip(size / 256, 0.25, finest))), pose)
    scene_state = scene.bit_generator.state
    drawn = draw_kinds(spoil) if kinds is None else kinds
    for _ in range(_TRIES):
        surface, footprints, defects = good, {}, []
        for kind in drawn if bad else ():
            surface, footprints[kind], defect = _add(kind, surface, spoil, candy.defect_scale, size, defect_size)
            defects.append(defect)
        scene.bit_generator.state = scene_state
        exposure = observe(
            surface, footprints, size, scene, camera, lambda weights: _seen_well(weights, defect_size), rig
        )
        if exposure is not None:
            masks = {
                kind: exposure.weights[kind] >= FOOTPRINT if kind in footprints else np.zeros((size, size), bool)
                for kind in KINDS
            }
            return Rendered(exposure, tuple(footprints), masks, tuple(defects), surface.material)
    raise AssertionError(f"no place for {drawn} on {type(candy).__name__} {split} {index} in {_TRIES} tries")


def _add(
    kind: str, surface: Surface, rng: np.random.Generator, scale: float, size: int, across: tuple[float, float] | None
) -> tuple[Surface, np.ndarray, Defect]:
    """As `add_defect`; where a size in pixels is asked for, drawn again alike until it is seen so large."""
    if across is None:
        return add_defect(kind, surface, rng, scale)
    wanted = np.exp(rng.uniform(*np.log(across)))
    state, shrink = rng.bit_generator.state, wanted / size
    for _ in range(_ROUNDS):
        rng.bit_generator.state = state
        spoilt, footprint, defect = add_defect(kind, surface, rng, scale, shrink)
        seen = (footprint >= FOOTPRINT) & (surface.out[:, 2] > 0)
        extent = 1 + np.ptp(on_picture(spoilt.vertices[seen], size), axis=0).max() if seen.any() else 1.0
        if abs(extent - wanted) < _NEAR * wanted:
            break
        shrink *= np.clip(wanted / extent, 0.25, 4)
    return spoilt, footprint, defect


def _seen_well(weights: dict[str, np.ndarray], across: tuple[float, float] | None) -> bool:
    """Whether every defect shows enough of itself, or has the size asked for."""
    for weight in weights.values():
        mask = weight >= FOOTPRINT
        if mask.sum() < max(3, 0 if across else _MIN_AREA * mask.size):
            return False
        if across and not across[0] <= max(np.ptp(at) + 1 for at in np.nonzero(mask)) <= across[1]:
            return False
    return True

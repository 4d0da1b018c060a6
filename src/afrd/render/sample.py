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
from afrd.render.stage import Exposure, observe
from afrd.render.surface import Material

_MIN_AREA = 0.0005  # of the image: a defect shows at least this much of itself
_TRIES = 25


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
) -> Rendered:
    """Object `index` of a split; `bad=False` gives the good twin of a bad one.

    kinds: the kinds of defect it is to have; None draws them. camera: see `observe`.
    """
    key = [seed, zlib.crc32(type(candy).__name__.encode()), zlib.crc32(split.encode()), index]
    shape, pose, spoil, scene = (np.random.default_rng(s) for s in np.random.SeedSequence(key).spawn(4))
    good = candy.place(candy.build(shape, float(np.clip(size / 256, 0.25, 2))), pose)
    scene_state = scene.bit_generator.state
    drawn = draw_kinds(spoil) if kinds is None else kinds
    for _ in range(_TRIES):
        surface, footprints, defects = good, {}, []
        for kind in drawn if bad else ():
            surface, footprints[kind], defect = add_defect(kind, surface, spoil, candy.defect_scale)
            defects.append(defect)
        scene.bit_generator.state = scene_state
        exposure = observe(surface, footprints, size, scene, camera)
        masks = {
            kind: exposure.weights[kind] >= FOOTPRINT if kind in footprints else np.zeros((size, size), bool)
            for kind in KINDS
        }
        if all(masks[kind].sum() >= max(3, _MIN_AREA * size * size) for kind in footprints):
            return Rendered(exposure, tuple(footprints), masks, tuple(defects), surface.material)
    raise AssertionError(f"no place for {drawn} on {type(candy).__name__} {split} {index} in {_TRIES} tries")

"""What the rig looks like while it is in order, from the captures that a model is trained on."""

import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

import numpy as np

from afrd.datasets import CaptureSet, read_ahead, verify
from afrd.rig import RigReference, measurable, measure_rig
from afrd.rig.light_check import MIN_CAPTURES, LightReference, require_lit
from afrd.views.relight import SEED, Relighting, places_of

LOOKS = 200  # captures that it is learned from, at most
FAINT = 5 / 255  # brightness under a light in some good part, below which a fifth of it is a camera's noise
THINNED = 256  # pixels of a side, that tell how bright a picture is
RELIT = 40  # captures from which is learned what a missing light shows, at most


class RigLook(TypedDict):
    """As a card has them; None where captures were too few."""

    light_reference: LightReference | None
    rig_reference: RigReference | None
    relighting: tuple[Relighting, ...] | None


def verify_lit(captures: CaptureSet, holdout: CaptureSet) -> None:
    """Decode every file of both, as `verify`; no light that is lit in most captures to train on may be dark in one.

    Raises DatasetError: a damaged file; a dark light, which would be learned, or set the threshold.
    """
    bright: dict[Path, float] = {}

    def measured(path: Path, image: np.ndarray) -> None:
        step = max(1, min(image.shape[1:]) // THINNED)
        thin = image[:, ::step, ::step]
        thin = captures.pixels.common(thin) if captures.pixels else thin
        bright[path] = float(thin.mean()) / np.iinfo(thin.dtype).max

    for each in (captures, holdout):
        verify(each, on_image=measured)
    of = [(record, each.split) for each in (captures, holdout) for record in each.records]
    ids = [f"{record.id} of {split}" if split else record.id for record, split in of]
    each_light = np.array([[bright[path] for path in record.images] for record, _ in of])
    require_lit(each_light, ids, captures.lights.names, len(captures))


def learn_rig(captures: CaptureSet, image_size: int) -> RigLook:
    """From captures spread evenly over the set, each read once; what a model looks at of them is kept for the fit."""
    if len(captures) < MIN_CAPTURES:
        warnings.warn(
            f"{len(captures)} training captures; lights and rig are not checked at inspection, which takes "
            f"{MIN_CAPTURES}",
            stacklevel=2,
        )
        return RigLook(light_reference=None, rig_reference=None, relighting=None)
    measured, places, rng = [], [], np.random.default_rng(SEED)
    region = captures.imaging and captures.imaging.region
    within = region is not None and measurable(region.inside)

    chosen = captures[:: math.ceil(len(captures) / LOOKS)]

    def images() -> Iterator[np.ndarray]:
        for record, capture in zip(chosen.records, read_ahead(chosen), strict=True):
            inside = capture.region.inside if within and capture.region else None
            measured.append(measure_rig(capture.images, inside, capture.cells if within else None))
            if captures.squares is not None:
                captures.squares.keep(record.images, capture, image_size)
            if len(places) < RELIT and len(capture.lights) > 1:
                places.append(places_of(capture.images, rng))
            yield capture.images

    ids = [record.id for record in chosen.records]
    reference = LightReference.learn(images(), ids, chosen.lights.names)  # checks the images' shape, and reads them all
    for name, darkest in zip(chosen.lights.names, reference.darkest, strict=True):
        if darkest < FAINT:
            warnings.warn(
                f"light {name}: cannot be seen to fail, as good parts are as dark under it as {255 * darkest:.2g} of "
                f"255; give it more power or a longer exposure",
                stacklevel=2,
            )
    channels = max((place.shape[1] for place in places), default=0)  # grey captures may be among colour ones
    alike = [np.broadcast_to(place, (len(place), channels, place.shape[-1])) for place in places]
    every = np.concatenate(alike, -1) if places else np.empty(0)
    relighting = tuple(Relighting.from_places(every, k) for k in range(len(every))) or None
    return RigLook(light_reference=reference, rig_reference=RigReference.learn(measured, within), relighting=relighting)

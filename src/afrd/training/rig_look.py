"""What the rig looks like while it is in order, from the captures that a model is trained on."""

import math
import warnings
from collections.abc import Iterator
from typing import TypedDict

import numpy as np

from afrd.datasets import CaptureSet, read_ahead
from afrd.rig import RigReference, measure_rig
from afrd.rig.light_check import MIN_CAPTURES, LightReference

LOOKS = 200  # captures that it is learned from, at most


class RigLook(TypedDict):
    """As a card has them; None where captures were too few."""

    light_reference: LightReference | None
    rig_reference: RigReference | None


def learn_rig(captures: CaptureSet, image_size: int) -> RigLook:
    """From captures spread evenly over the set, each read once; what a model looks at of them is kept for the fit."""
    if len(captures) < MIN_CAPTURES:
        warnings.warn(
            f"{len(captures)} training captures; lights and rig are not checked at inspection, which takes "
            f"{MIN_CAPTURES}",
            stacklevel=2,
        )
        return RigLook(light_reference=None, rig_reference=None)
    measured = []

    def images() -> Iterator[np.ndarray]:
        chosen = captures[:: math.ceil(len(captures) / LOOKS)]
        for record, capture in zip(chosen.records, read_ahead(chosen), strict=True):
            measured.append(measure_rig(capture.images))
            if captures.squares is not None:
                captures.squares.keep(record.images, capture, image_size)
            yield capture.images

    looks = LightReference.learn(images())  # checks the images' shape, and reads them all
    return RigLook(light_reference=looks, rig_reference=RigReference.learn(measured))

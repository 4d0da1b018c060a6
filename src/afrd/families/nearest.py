"""Nearest patches of the averaged lights (`afrd.model.nearest`): where all lights show the same picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from afrd.card import Capabilities, Strict
from afrd.errors import ModelError
from afrd.families.config import TrainConfig
from afrd.families.family import Family, HeldOutScores, Job

if TYPE_CHECKING:
    from afrd.datasets import CaptureSet
    from afrd.model.nearest import NearestPatches
    from afrd.model.teacher import Teacher

IMAGE_SIZE = 384  # one finer picture instead of N


class Patches(Strict):
    """Of the places of good parts."""

    bank: int = Field(8192, ge=16, description="Places of good parts that new ones are compared with.")
    places: int = Field(100_000, ge=1000, description="That the Gaussian and the bank are drawn from, at most.")


class NearestConfig(TrainConfig):
    """fusion: nearest."""

    fusion: Literal["nearest"] = Field("nearest", description=TrainConfig.model_fields["fusion"].description)
    image_size: int = Field(IMAGE_SIZE, description="The averaged lights are resized to this square.")
    patches: Patches = Patches()


class Nearest(Family):
    """See `afrd.model.nearest`. A light can be left out of the average; none shows more than another."""

    title = "Nearest patches"
    names = ("nearest",)
    config = NearestConfig
    capabilities = Capabilities(leave_out=True, known_defects=True)
    scores_map = False

    def build(self, config: NearestConfig, teacher: Teacher, lights: int) -> NearestPatches:
        from afrd.model.nearest import NearestPatches

        return NearestPatches(teacher, None, lights, config.image_size, config.top_share, config.patches)

    def require(self, config: NearestConfig, captures: CaptureSet) -> None:
        if captures.imaging and captures.imaging.tiling:
            raise ModelError("fusion nearest looks at the whole part at once: leave out --tile, or take --fusion joint")

    def fit(self, model: NearestPatches, captures: CaptureSet, holdout: CaptureSet, job: Job) -> HeldOutScores:
        from afrd.training.nearest import fit

        return fit(model, captures, holdout, job)

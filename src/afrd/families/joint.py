"""The joint Gaussian of all lights (`afrd.model.joint`), fitted without gradients: the default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from afrd.card import Capabilities, Strict
from afrd.families.config import TrainConfig
from afrd.families.family import Family, HeldOutScores, Job

if TYPE_CHECKING:
    from afrd.datasets import CaptureSet
    from afrd.model import JointGaussian
    from afrd.model.teacher import Teacher


class Gaussian(Strict):
    """Of the vector of all lights at a place."""

    grid: Literal[4, 8, 16] = Field(8, description="Stride of the places, pixels of the resized capture.")
    channels: int = Field(2048, ge=64, description="Of all lights together; a wider teacher is projected down to them.")
    shrinkage: float = Field(
        0.01, gt=0, lt=1, description="Share of the mean variance that is added to every variance."
    )
    directions: int = Field(256, ge=1, description="That the distance keeps, at most.")
    strength: float = Field(
        0.01, gt=0, description="Of defects beside the scatter of good parts; larger: more directions count alike."
    )


class Painting(Strict):
    """Defects painted into good captures: they tell which directions count."""

    captures: int = Field(60, ge=1, description="That defects are painted into, at most.")
    pairs: int = Field(120, ge=1, description="Captures with painted defects, at least.")
    defects: int = Field(10, ge=1, description="In each.")


class JointConfig(TrainConfig):
    """fusion: joint."""

    fusion: Literal["joint"] = Field("joint", description=TrainConfig.model_fields["fusion"].description)
    gaussian: Gaussian = Gaussian()
    painting: Painting = Painting()


class Joint(Family):
    """See `afrd.model.joint`. The light weights are evidence, a light can be left out exactly."""

    title = "Joint model"
    names = ("joint",)
    config = JointConfig
    capabilities = Capabilities(evidence=True, leave_out=True)

    def build(self, config: JointConfig, teacher: Teacher, lights: int) -> JointGaussian:
        from afrd.model import JointGaussian

        return JointGaussian(teacher, None, lights, config.image_size, config.top_share, config.gaussian)

    def fit(self, model: JointGaussian, captures: CaptureSet, holdout: CaptureSet, job: Job) -> HeldOutScores:
        from afrd.training.joint import fit

        return fit(model, captures, holdout, job)

"""Any model of anomalib as one of ours: fitted by anomalib's Engine, judged by the same threshold and bench."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from afrd.card import Capabilities, Strict
from afrd.families.config import TrainConfig
from afrd.families.family import Family, HeldOutScores, Job

if TYPE_CHECKING:
    from afrd.datasets import CaptureSet
    from afrd.integrations.anomalib.guest import Guest
    from afrd.model.teacher import Teacher


class GuestSettings(Strict):
    """How an anomalib model is given several lights, and what it is built with."""

    reads: Literal["mean-image", "each"] = Field(
        "mean-image", description="The lights' mean as one image, or each light as one, scores and maps averaged."
    )
    arguments: str = Field("{}", description='Of the anomalib class, as JSON: {"n_features": 50}.')
    epochs: int | None = Field(None, ge=1, description="Of anomalib's Engine; none: the model's own.")


class AnomalibConfig(TrainConfig):
    """fusion: anomalib:CLASS, any class of anomalib.models."""

    fusion: str = Field(
        "anomalib:Padim", pattern=r"^anomalib:\w+$", description=TrainConfig.model_fields["fusion"].description
    )
    anomalib: GuestSettings = GuestSettings()


class Anomalib(Family):
    """See `afrd.integrations.anomalib.guest`. It needs every light, and says nothing of single ones."""

    title = "A model of anomalib"
    names = ("anomalib:Padim", "anomalib:CLASS")
    config = AnomalibConfig
    capabilities = Capabilities()
    scores_map = False

    def require(self, config: AnomalibConfig, captures: CaptureSet) -> None:
        from afrd.errors import ModelError

        if config.accelerator not in ("auto", "cpu"):
            raise ModelError(
                f"accelerator {config.accelerator}: models of anomalib are trained on the processor here; leave it out"
            )
        if config.top_share and not (captures.imaging and captures.imaging.tiling):
            raise ModelError(
                f"top_share {config.top_share:g}: without effect on {config.fusion}, which has a score of its own; "
                "leave it out"
            )

    def build(self, config: AnomalibConfig, teacher: Teacher, lights: int) -> Guest:
        from afrd.integrations.anomalib.guest import Guest

        return Guest(teacher, lights, config)

    def fit(self, model: Guest, captures: CaptureSet, holdout: CaptureSet, job: Job) -> HeldOutScores:
        return model.fit(captures, holdout, job)

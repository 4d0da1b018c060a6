"""The paper's network (`afrd.model.afrd`): lights are fused, a student learns to reproduce what comes of them.

Trained by gradient, epoch by epoch; a run that was killed continues after its last whole epoch.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field

from afrd.card import Capabilities
from afrd.families.config import TrainConfig
from afrd.families.family import Family, HeldOutScores, Job

if TYPE_CHECKING:
    from afrd.datasets import CaptureSet
    from afrd.model import AFRD
    from afrd.model.teacher import Teacher

PAPER_RATE, SHORT_RATE = 4e-4, 1.5e-3
MANY_STEPS = 4000  # the paper takes 12,500: 1,000 captures, batch 8, 100 epochs; 60 captures make 800


class DistillationConfig(TrainConfig):
    """Defaults are the paper's where it states them: AdamW, batch 8, 100 epochs, last epoch.

    learning_rate: None is the paper's 4e-4 for a training as long as the paper's, and 1.5e-3 for a short one
        (`resolved`; docs/deviations.md).
    cache: "auto" keeps teacher features in memory while they fit `cache_gb`, else on disk; "off" recomputes them.
    compile: bottleneck and student with torch.compile, which rounds otherwise and takes a C++ compiler.
    """

    fusion: str = Field(
        "attention",
        pattern=r"^(mean|attention|paper-attention|single(:.*)?)$",
        description=TrainConfig.model_fields["fusion"].description,
    )
    epochs: int = Field(100, ge=1, description="Passes over the good captures.")
    batch_size: int = Field(8, ge=1, description="Captures a step.")
    learning_rate: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="Of AdamW; none: 4e-4 as in the paper, 1.5e-3 below 4000 steps.",
    )
    loss: Literal["position", "flat"] = Field(
        "position", description="position (eq. 5 of the paper) or flat (as in RD's code)."
    )
    cache: Literal["auto", "memory", "disk", "off"] = Field(
        "auto", description="Teacher features: auto (memory, else disk), memory, disk, off (recompute)."
    )
    cache_gb: float = Field(4.0, ge=0, description="Memory that features may take, in GB.")
    devices: int = Field(1, ge=1, description="Processes for distributed training.")
    precision: Literal["32-true", "bf16-mixed"] = Field(
        "32-true", description="Of bottleneck, student and loss while training."
    )
    compile: bool = Field(False, description="Bottleneck and student with torch.compile; takes a C++ compiler.")

    def resolved(self, captures: CaptureSet) -> Self:
        if self.learning_rate is not None:
            return self
        steps = self.epochs * math.ceil(len(captures) / self.batch_size)
        return self.model_copy(update={"learning_rate": PAPER_RATE if steps >= MANY_STEPS else SHORT_RATE})

    def fabric(self) -> dict[str, Any]:
        return {"accelerator": self.accelerator, "devices": self.devices, "precision": self.precision}

    def deciding(self) -> dict[str, Any]:
        # where half-precision features lie changes nothing; whether they are rounded at all does
        settings = super().deciding() | {"cache": "off" if self.cache == "off" else "on"}
        del settings["cache_gb"]
        return settings


class Distillation(Family):
    """See `afrd.model.afrd`. Its light weights say which lights were listened to, and not which one shows a defect."""

    title = "Distillation"
    names = ("single:K", "mean", "paper-attention", "attention")
    config = DistillationConfig
    capabilities = Capabilities(int8=True)
    reads_features = True

    def build(self, config: DistillationConfig, teacher: Teacher, lights: int) -> AFRD:
        from afrd.model import AFRD

        return AFRD(teacher, None, lights, config.image_size, config.fusion, config.top_share)

    def fit(self, model: AFRD, captures: CaptureSet, holdout: CaptureSet, job: Job) -> HeldOutScores | None:
        from afrd.training.distillation import fit

        return fit(model, captures, holdout, job)

    def require(self, config: DistillationConfig, captures: CaptureSet) -> None:
        if config.compile:
            from afrd.model.compilation import require_compiler

            require_compiler()

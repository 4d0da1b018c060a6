"""What a training run is asked to do; stored in the run and compared on resume."""

import math
from typing import Any, Literal

from pydantic import Field

from afrd.card import Lights, Strict
from afrd.fail_safe import OnLightFault

PAPER_RATE, SHORT_RATE = 4e-4, 1.5e-3
MANY_STEPS = 4000  # the paper takes 12,500: 1,000 captures, batch 8, 100 epochs; 60 captures make 800


class TrainConfig(Strict):
    """Defaults are the paper's where it states them: AdamW, batch 8, 100 epochs, last epoch.

    learning_rate: None is the paper's 4e-4 for a training as long as the paper's, and 1.5e-3 for a short one
        (`resolved`; docs/deviations.md).
    teacher_weights: file, "random", or None for the weights that the teacher's name stands for.
    holdout_share: of the training captures, for the threshold, where the data set has no val split.
    false_alarm_rate: share of good parts that may be called anomalous.
    cache: "auto" keeps teacher features in memory while they fit `cache_gb`, else on disk; "off" recomputes them.
    compile: bottleneck and student with torch.compile, which rounds otherwise and takes a C++ compiler.
    top_share: see `afrd.model.anomaly_map.score`. on_light_fault: see `afrd.inspector.Inspector.load`.
    """

    fusion: str = "auto"
    teacher: str = "efficientnet_lite0"
    teacher_weights: str | None = None
    image_size: int = 256
    epochs: int = Field(100, ge=1)
    batch_size: int = Field(8, ge=1)
    learning_rate: float | None = Field(None, gt=0, allow_inf_nan=False)
    loss: Literal["position", "flat"] = "position"
    seed: int = Field(0, ge=0, lt=2**32)
    top_share: float = Field(0.0, ge=0, le=1)
    holdout_share: float = Field(0.1, gt=0, lt=1)
    false_alarm_rate: float = Field(0.05, gt=0, lt=1)
    on_light_fault: OnLightFault = "reject"
    cache: Literal["auto", "memory", "disk", "off"] = "auto"
    cache_gb: float = Field(4.0, ge=0)
    accelerator: str = "auto"
    devices: int = Field(1, ge=1)
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    compile: bool = False

    def resolved(self, captures: int) -> "TrainConfig":
        """With every choice made that depends on the number of training captures."""
        if self.learning_rate is not None:
            return self
        steps = self.epochs * math.ceil(captures / self.batch_size)
        return self.model_copy(update={"learning_rate": PAPER_RATE if steps >= MANY_STEPS else SHORT_RATE})


class RunRecord(Strict):
    """run.yaml: the configuration and what it was applied to."""

    format: Literal[1] = 1
    afrd_version: str
    category: str | None
    captures: int
    holdout: int
    data_digest: str
    holdout_digest: str
    lights: Lights
    teacher_digest: str
    config: TrainConfig

    def differences(self, other: "RunRecord") -> list[str]:
        """Fields in which a resumed run would not be the run that was started, as "name: was → is"."""
        mine, theirs = _flat(self), _flat(other)
        return [f"{k}: {mine[k]} → {theirs[k]}" for k in mine if mine[k] != theirs[k]]


def _flat(record: RunRecord) -> dict[str, Any]:
    data = record.model_dump(mode="json")
    data = {**data.pop("config"), **data}
    # where half-precision features lie changes nothing; whether they are rounded at all does
    data["cache"] = "off" if data["cache"] == "off" else "on"
    del data["afrd_version"], data["cache_gb"]
    return data

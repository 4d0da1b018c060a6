"""One cell of the comparison: which method on which class, under which light, with which seed; and how all are run.

Knows neither the methods nor where results lie.
"""

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import Field

from afrd.card import ModelCard, Strict

ALL_LIGHTS = "all"
MEAN_IMAGE = "mean-image"


@dataclass(frozen=True, order=True)
class Job:
    """What is run once and leaves one result file.

    light: the light policy. "all": the method reads every light; "0", "1", …: that light alone; "mean-image": the
        pixelwise mean of the lights, as one image.
    disturb: what the test captures are judged under as well, such as "noise:2" (`afrd.disturb`); no part of what the
        job is, as nothing is fitted for it.
    """

    category: str
    method: str
    light: str
    seed: int
    disturb: tuple[str, ...] = field(default=(), compare=False)

    @property
    def key(self) -> dict[str, Any]:
        """What tells jobs apart, as plain values."""
        return {"category": self.category, "method": self.method, "light": self.light, "seed": self.seed}

    @property
    def id(self) -> str:
        """Names the result file; unique in a comparison."""
        method = self.method.replace(":", "-")  # which file names of some systems do not take
        return f"{self.category}__{method}__{self.light}__seed{self.seed}"


class Settings(Strict):
    """The same for every job of a comparison.

    epochs: passes over the training captures, for every method that is trained by gradient.
    split: what is tested. pattern: of file names, as for `open_dataset`.
    false_alarm_rate: sets each method's threshold, from held-out good parts.
    loss: of ours (`afrd.model.loss`). accelerator: ours train on it; baselines and inspection stay on the CPU.
    threads: of each job.
    teacher, teacher_weights: of every method that takes a backbone from outside.
    """

    format: Literal[1] = 1
    teacher: str = "efficientnet_lite0"
    teacher_weights: str | None = None
    image_size: int = 256
    epochs: int = Field(100, ge=1)
    batch_size: int = Field(8, ge=1)
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    loss: Literal["position", "flat"] = "position"
    accelerator: Literal["cpu", "cuda", "mps"] = "cpu"
    split: str = "test_public"
    pattern: str | None = None
    false_alarm_rate: float = Field(0.1, gt=0, lt=1)
    threads: int = Field(1, ge=1)


class Limit(NamedTuple):
    """A threshold with the false-alarm rate it promises, and the rate that holds with 90 % confidence.

    unlike: the threshold of captures that the rig check notes, where a method has one for them.
    """

    threshold: float
    rate: float
    bound: float
    unlike: float | None = None

    @classmethod
    def of(cls, card: ModelCard) -> "Limit":
        """What `afrd train` chose."""
        return cls(card.threshold, card.false_alarm_rate, card.false_alarm_bound, card.threshold_unlike)


class Scored(NamedTuple):
    """What a method says of V held-out good captures and of K test captures.

    Those are all test captures as they are, then all under the first disturbance, and so on.

    holdout_scores: [V], scores: [K]; higher is more anomalous, any unit.
    holdout_maps: [V, S, S], maps: [K, S, S] float32 at the model's size, or None where the method has no map.
    light_weights: [K, L, N], or None where the method does not weigh lights.
    config: what was chosen beyond the settings, such as the learning rate.
    limit: where the method sets its threshold itself; None takes it from `holdout_scores`.
    learned: captures that it learned from; None: those of train. unlike: [K], which test captures the rig check notes;
    None: no threshold goes by that.
    """

    holdout_scores: np.ndarray
    scores: np.ndarray
    holdout_maps: np.ndarray | None = None
    maps: np.ndarray | None = None
    light_weights: np.ndarray | None = None
    config: dict[str, Any] | None = None
    limit: Limit | None = None
    learned: int | None = None
    unlike: np.ndarray | None = None

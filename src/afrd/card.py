"""What a trained model needs to be used, beside its weights: the same card in a run folder and in an exported artefact.

Plain values with a schema. Knows no tensors, so that an artefact is used where torch is not installed.
"""

import math
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from afrd.capture import LightRig
from afrd.fail_safe import OnLightFault
from afrd.imaging import Imaging
from afrd.rig import RigReference
from afrd.rig.light_check import LightReference
from afrd.views.relight import Relighting

FORMAT = 3


class Strict(BaseModel):
    """Unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Lights(Strict):
    """Of a LightRig what a model or a view needs; an unknown direction or distance is null."""

    names: tuple[str, ...]
    directions: tuple[tuple[float, float, float] | None, ...] | None = None
    distances: tuple[float | None, ...] | None = None
    weights: tuple[float, ...] | None = None
    triggers: tuple[int, ...] | None = None

    @classmethod
    def of(cls, rig: LightRig) -> "Lights":
        directions = rig.directions and tuple(
            None if any(math.isnan(x) for x in d) else tuple(map(float, d)) for d in rig.directions
        )
        distances = rig.distances and tuple(None if math.isnan(x) else x for x in rig.distances)
        said = {"weights": rig.weights, "triggers": rig.triggers}
        return cls(names=rig.names, directions=directions, distances=distances, **said)

    def rig(self) -> LightRig:
        directions = self.directions and tuple(d or (math.nan,) * 3 for d in self.directions)
        distances = self.distances and tuple(math.nan if d is None else d for d in self.distances)
        return LightRig(self.names, directions, distances, self.weights, triggers=self.triggers)


class Capabilities(Strict):
    """What a family of models can do; a family declares it, the card carries it, everything else asks it.

    evidence: its light weights say which light shows a defect, not how far it goes by each. leave_out: it can judge
    without one of the lights. int8: it can be quantised. grow: it takes in further good parts without being fitted
    anew. known_defects: it learns from defective captures, where a user has some.
    """

    evidence: bool = False
    leave_out: bool = False
    int8: bool = False
    grow: bool = False
    known_defects: bool = False


class ModelCard(Strict):
    """What a model needs to be used, beside its weights.

    category, captures: what it was trained on.
    fusion: the model's name, config: its settings, by `afrd.families`; capabilities: what it can do.
    trained_digest: of model.safetensors, so that files of two runs are not mixed up.
    threshold: score above which a part is anomalous, from scores of good captures that the scoring model was not
        trained on: `holdout` scores of `holdout_parts` parts.
    threshold_unlike: the same of captures that the rig check notes, from the same parts and all their disturbed copies;
        not below `threshold`, which then follows from the copies that it does not note. None: `threshold` for all.
    false_alarm_rate: of new good parts, on average; the one that was asked for, or the least that so many parts can
        promise. false_alarm_bound: the rate that holds with 90 % confidence (`afrd.training.threshold`).
    tail: "gpd" where the threshold was extrapolated (`afrd.training.tail`); threshold_interval: then, with 90 %
        confidence, between which scores the one lies that this share of good parts exceeds.
    thresholds_without: the threshold where light k is left out, for each k, from the same parts, or None where nothing
        is left to judge by; None if the model needs every light.
    light_reference: what each light looks like on good parts; None if too few captures were there to learn it.
    rig_reference: what captures are like while the whole rig is in order; None likewise.
    relighting: each light as the others show it, for `Inspector.picture_under`; None with one light, or likewise.
    on_light_fault: see `afrd.inspector.Inspector.load`; what holds where nothing else is asked for.
    map_sigma: pixels at the model's size by which maps are smoothed below the threshold (`afrd.imaging.smoothing`).
    views: that its parts have, where captures are views; a part without one of them is not good.
    imaging: what its captures were; None where that was not written down, and captures are taken as they are.
    """

    format: Literal[2, 3] = FORMAT  # runs are read in the newest alone; an artefact holds all that it takes
    afrd_version: str
    category: str | None
    captures: int
    teacher: str
    teacher_digest: str
    trained_digest: str
    fusion: str
    capabilities: Capabilities
    lights: Lights
    image_size: int
    top_share: float
    threshold: float = Field(allow_inf_nan=False)
    threshold_unlike: float | None = Field(None, allow_inf_nan=False)
    false_alarm_rate: float
    false_alarm_bound: float
    holdout: int
    holdout_parts: int
    tail: Literal["conformal", "gpd"] = "conformal"
    threshold_interval: tuple[float, float] | None = None
    thresholds_without: tuple[float | None, ...] | None = None
    light_reference: LightReference | None = None
    rig_reference: RigReference | None = None
    relighting: tuple[Relighting, ...] | None = None
    on_light_fault: OnLightFault = "reject"
    map_sigma: float = Field(0, ge=0, allow_inf_nan=False)
    views: tuple[str, ...] | None = None
    imaging: Imaging | None = None
    config: dict[str, Any]

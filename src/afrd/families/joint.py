"""The joint Gaussian of all lights (`afrd.model.joint`), fitted without gradients: the default."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from afrd.card import Capabilities, ModelCard, Strict
from afrd.errors import ModelError
from afrd.families.config import TrainConfig
from afrd.families.family import Family, HeldOutScores, Job
from afrd.families.nearest import NearestConfig
from afrd.progress import Progress

if TYPE_CHECKING:
    from afrd.datasets import CaptureSet
    from afrd.model import JointGaussian
    from afrd.model.teacher import Teacher


GROWTH_FILE = "growth.safetensors"
"""In the folder of a run that can take in further good parts (`afrd.training.growth`)."""


IN_FOLDS = 120  # captures scored, unless the false-alarm rate takes more: their vectors stay in memory, 4 MB each


class Gaussian(Strict):
    """Of the vector of all lights at a place."""

    grid: Literal[4, 8, 16] = Field(8, description="Stride of the places, pixels of the resized capture.")
    channels: int = Field(2048, ge=64, description="Of all lights together; a wider teacher is projected down to them.")
    shrinkage: float = Field(
        0.01, gt=0, lt=1, description="Share of the mean variance that is added to every variance."
    )
    disturbance: float = Field(
        0.03, ge=0, description="Share of the covariance of disturbances that is added; larger: steadier, less keen."
    )
    directions: int = Field(256, ge=1, description="That the distance keeps, at most.")
    strength: float = Field(
        0.003, gt=0, description="Of defects beside the scatter of good parts; larger: more directions count alike."
    )


class Painting(Strict):
    """Defects painted into good captures: they tell which directions count."""

    captures: int = Field(60, ge=1, description="That defects are painted into, at most.")
    pairs: int = Field(120, ge=1, description="Captures with painted defects, at least.")
    defects: int = Field(10, ge=1, description="In each.")


class Disturbing(Strict):
    """Copies of good captures as a disturbed station sees them: what changes then is no defect."""

    captures: int = Field(20, ge=0, description="That what disturbances change is learned from, at most.")
    blur: float = Field(
        0.7,
        ge=0,
        description="Pixels, of a second, blurred copy of each good capture, learned from as well; 0: none.",
    )
    copies: int = Field(2, ge=0, description="Of each capture that the threshold comes from.")


class JointConfig(TrainConfig):
    """fusion: joint."""

    fusion: Literal["joint"] = Field("joint", description=TrainConfig.model_fields["fusion"].description)
    gaussian: Gaussian = Gaussian()
    painting: Painting = Painting()
    disturbing: Disturbing = Disturbing()
    folds: int = Field(
        5,
        ge=0,
        description="Good captures are scored a fold at a time by a model without it, and all are fitted; 0: hold out.",
    )
    growable: bool = Field(
        False,
        description="Keep what further good parts take to be added: 2 MB a capture of 6 × 256². No folds: holds out.",
    )
    map_sigma: float = Field(
        8,
        ge=0,
        le=64,
        description="Pixels at the model's size, by which maps are smoothed below the threshold; 0: not.",
    )
    alike_lights: Literal["stack", "average"] = Field(
        "stack",
        description="Where all lights show the same picture: stack them all the same, or average them (nearest).",
    )

    @classmethod
    def for_auto(cls, data: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"alike_lights": "average", **data}

    def in_folds(self, captures: int, parts: int, tiled: bool = False) -> int:
        """How many of so many good parts are scored by models without them; 0: none, they are held out.

        Tiles of a capture are too many to be kept for it.
        """
        if self.folds < 2 or self.growable or tiled:
            return 0
        needed = math.ceil(1 / self.false_alarm_rate - 1 - 1e-9)  # as `afrd.training.threshold.parts_needed`
        return min(parts, max(IN_FOLDS * parts // captures, needed))

    def resolved(self, captures: CaptureSet) -> TrainConfig:
        if self.alike_lights == "stack":
            return self
        from afrd.training.alike_lights import ALIKE, alikeness

        if self.tiled(captures) or alikeness(captures) < ALIKE:
            return self.model_copy(update={"alike_lights": "stack"})
        given, known = self.model_fields_set - {"fusion", "alike_lights"}, NearestConfig.model_fields
        if idle := [name for name in type(self).model_fields if name in given and name not in known]:
            raise ModelError(
                f"{', '.join(idle)}: without effect on the model nearest, which is taken here: "
                f"{self.why('nearest', len(captures.lights))}; leave them out, or take --fusion joint"
            )
        return NearestConfig(**{name: getattr(self, name) for name in known if name in given} | {"fusion": "nearest"})

    def why(self, fusion: str, lights: int) -> str | None:
        if self.alike_lights == "stack":
            return None
        if fusion == "joint":
            return "the lights show different pictures, or tiles are looked at"
        return "all lights show the same picture" if lights > 1 else "one light"

    def tiled(self, captures: CaptureSet) -> bool:
        """Whether they are looked at in several squares each."""
        from afrd.training.imaging import tiling_of

        return tiling_of(captures, self.image_size) is not None


class Joint(Family):
    """See `afrd.model.joint`. The light weights are evidence, a light can be left out exactly."""

    title = "Joint model"
    names = ("joint",)
    config = JointConfig
    capabilities = Capabilities(evidence=True, leave_out=True, grow=True, known_defects=True)
    reads_features = True
    weighs_lights = True

    def build(self, config: JointConfig, teacher: Teacher, lights: int) -> JointGaussian:
        from afrd.model import JointGaussian

        return JointGaussian(teacher, None, lights, config.image_size, config.top_share, config.gaussian)

    def map_sigma(self, config: JointConfig) -> float:
        return config.map_sigma

    def scored_parts(self, config: JointConfig, captures: CaptureSet, holdout: CaptureSet) -> int:
        held_out = len(set(holdout.groups))
        parts = len(set(captures.groups)) + held_out  # groups of the two are different parts
        return config.in_folds(len(captures) + len(holdout), parts, config.tiled(captures)) or held_out

    def require(self, config: JointConfig, captures: CaptureSet) -> None:
        if config.growable and captures.imaging and captures.imaging.tiling:
            raise ModelError("a model that looks at captures in tiles cannot grow; leave out --growable or the tiles")
        if config.growable and captures.imaging and captures.imaging.alignment:  # grown thresholds know no region
            raise ModelError("a model whose region follows the part cannot grow; leave out --growable or align: part")

    def fit(self, model: JointGaussian, captures: CaptureSet, holdout: CaptureSet, job: Job) -> HeldOutScores:
        from afrd.training.joint import fit

        return fit(model, captures, holdout, job)

    def growing(self, config: dict[str, Any]) -> dict[str, Any]:
        return config | {"growable": True}

    def can_grow(self, run: Path) -> bool:
        return (run / GROWTH_FILE).is_file()

    def grow(self, run: Path, captures: CaptureSet, out: Path, progress: Progress | None = None) -> ModelCard:
        from afrd.training.growth import grow

        return grow(run, captures, out, progress)

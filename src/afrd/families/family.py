"""What a family of models is: its names, its settings, what it can do, how it is built and fitted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from afrd.card import Capabilities, ModelCard
from afrd.errors import RunError
from afrd.progress import Progress

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from afrd.datasets import CaptureSet
    from afrd.families.config import TrainConfig
    from afrd.model import MultiLightModel
    from afrd.model.teacher import Teacher
    from afrd.rig import RigReference


class HeldOutScores(NamedTuple):
    """Scores of good captures that the model has not seen, in their order; the threshold follows from them.

    without: for each light k, the scores of the same captures without it, or None where nothing is left to judge by;
        None if the model needs every light.
    captures: the one of each score, which may stand there several times, as with disturbed copies; None: those of
        `holdout`. Their groups are the parts that the threshold counts. fitted: how many good captures the model has
        learned from, where these are among them (`afrd.training.cross_fit`). clean: the scores without disturbed
        copies; None: there are none. like: the largest of its own and of those disturbed copies that the rig check
        takes for a rig in order; None: that was not looked at.
    """

    scores: list[float]
    without: Sequence[list[float] | None] | None = None
    captures: CaptureSet | None = None
    fitted: int | None = None
    clean: list[float] | None = None
    like: list[float] | None = None

    def with_copies(
        self, copies: Sequence[HeldOutScores], unlike: Sequence[Sequence[bool]] | None = None
    ) -> HeldOutScores:
        """A capture counts by the largest score of its own and its disturbed copies, which are in the same order.

        What is promised then holds on the station's worse days too. unlike: of each copy, whether the rig check notes
        its captures; None: nobody checked.
        """
        every = [self, *copies]
        without = None
        if self.without is not None:
            without = [own and _largest(one.without[k] for one in every) for k, own in enumerate(self.without)]
        like = None
        if unlike is not None:
            mild = [
                [own if noted else score for own, score, noted in zip(self.scores, copy.scores, each, strict=True)]
                for copy, each in zip(copies, unlike, strict=True)
            ]
            like = _largest([self.scores, *mild])
        scores = _largest(one.scores for one in every)
        return self._replace(scores=scores, without=without, clean=self.scores, like=like)


def _largest(of_each: Iterable[Sequence[float]]) -> list[float]:
    return [max(scores) for scores in zip(*of_each, strict=True)]


@dataclass(frozen=True)
class Job:
    """What a fit is given beside captures.

    fabric: Lightning's, launched; its device is where to compute. out: the run folder, locked for this process.
    store: folder of features on disk, perhaps with some of earlier runs; data_digest, holdout_digest: what they are
        found by, of the captures to learn from and of the held-out ones.
    resumable: keep what a killed run needs to go on.
    known: defective captures that the user has, read as `captures`; None: none.
    rig: what captures are like while the rig is in order, as the card will have it; None: they were too few for it.
    on_needed(bytes, "memory" or "disk"): what features will take, or None.
    on_features(done, captures to read); on_epoch(epoch, epochs): progress, or None.
    """

    fabric: Fabric
    config: TrainConfig
    out: Path
    store: Path
    data_digest: str
    holdout_digest: str
    resumable: bool = True
    known: CaptureSet | None = None
    rig: RigReference | None = None
    on_needed: Callable[[int, str], None] | None = None
    on_features: Progress | None = None
    on_epoch: Callable[[Any, int], None] | None = None


class Family(ABC):
    """One kind of model. To add one: a subclass in a file of its own, and a line in `afrd.families`.

    title: heads its options in `--help`. names: as in `--fusion`; "single:K" stands for one with a number.
    config: its settings. Its module imports no torch; `build` and `fit` do when they are called.
    reads_features: whether its fit reads features that lie in `Job.store`.
    scores_map: whether a score follows from the map alone (`afrd.imaging.tiles.score`).
    weighs_lights: whether its model goes by the lights' weights of lights.yaml (`MultiLightModel.trust`).
    """

    title: ClassVar[str]
    names: ClassVar[tuple[str, ...]]
    config: ClassVar[type[TrainConfig]]
    capabilities: ClassVar[Capabilities]
    reads_features: ClassVar[bool] = False
    scores_map: ClassVar[bool] = True
    weighs_lights: ClassVar[bool] = False

    @abstractmethod
    def build(self, config: Any, teacher: Teacher, lights: int) -> MultiLightModel:
        """The model before it is fitted, for a rig of so many lights. Raises ModelError: settings that do not fit."""

    @abstractmethod
    def fit(self, model: MultiLightModel, captures: CaptureSet, holdout: CaptureSet, job: Job) -> HeldOutScores | None:
        """Learns from `captures`, then scores parts that were not learned from: those of `holdout`, or others by
        fitting again without them. A run that was killed is called again with what it left in `job.out`.

        None in all processes but the first, where `config.fabric()` asks for several. Raises RunError, ModelError.
        """

    def map_sigma(self, config: Any) -> float:
        """Pixels at the model's size by which maps are smoothed below the threshold; 0: as the model gives them."""
        return 0

    def scored_parts(self, config: Any, captures: CaptureSet, holdout: CaptureSet) -> int:
        """How many good parts the threshold will come from."""
        return len(set(holdout.groups))

    def require(self, config: Any, captures: CaptureSet) -> None:
        """Before anything is learned or written. captures: as they will be seen.

        Raises ModelError: something that this machine lacks, or settings that do not fit one another.
        """
        return

    def growing(self, config: dict[str, Any]) -> dict[str, Any]:
        """The settings of a card's `config` for a model that can grow; of families that declare `grow`."""
        return config

    def can_grow(self, run: Path) -> bool:
        """Whether the run keeps what growing takes."""
        return False

    def grow(self, run: Path, captures: CaptureSet, out: Path, progress: Progress | None = None) -> ModelCard:
        """The run's model with further good captures, as a run of its own at `out`; returns its card.

        progress(done, steps). Raises RunError, DatasetError: it cannot grow, other lights, damaged captures.
        """
        raise RunError(f"{run}: cannot grow, which the model {self.names[0]} is not made for; train a new version")

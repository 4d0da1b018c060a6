"""The captures of one class as methods need them: split, as images of one light policy, and as shared features.

What is tested is tested as it is and, where a job asks for it, in disturbed copies. What is fitted stays as it is.

The teacher reads a class once in all jobs together: its features of all lights lie on disk, under a lock while they are
written. Knows no methods and no results.
"""

import shutil
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import interpolate

from afrd.capture import Capture
from afrd.comparison.copies import DisturbedCaptures, copy_digest, light_faults
from afrd.comparison.job import MEAN_IMAGE, Settings
from afrd.datasets import Record, open_dataset, read_ahead, splits
from afrd.datasets.capture_set import content_digest
from afrd.disturb import Disturbance
from afrd.errors import DatasetError
from afrd.evaluation.truth import Truth, truth
from afrd.files import is_temporary, locked_file
from afrd.imaging import Imaging
from afrd.imaging.region import AUTO
from afrd.model import AFRD
from afrd.rig.light_check import MIN_CAPTURES, LightReference
from afrd.training import TrainConfig
from afrd.training.features import FeatureCache, cache_features
from afrd.training.holdout import split_holdout
from afrd.training.imaging import learn_imaging

PARTS = ("train", "holdout", "test")


class ClassData:
    """One class of a data set: `train`, `holdout` (good captures for thresholds), `test`.

    store: folder for features; it may be shared by several processes and machines. disturb: see `Job`.
    Raises DatasetError: a part of the class is missing, or the captures to test have no labels.
    """

    def __init__(
        self, root: Path, category: str | None, settings: Settings, store: Path, disturb: Sequence[str] = ()
    ) -> None:
        self.settings, self.store = settings, Path(store)
        self.disturb = tuple(map(Disturbance.parse, disturb))
        files = {"pattern": settings.pattern}
        train = open_dataset(root, category, "train", **files)
        held = open_dataset(root, category, "val", **files) if "val" in splits(root, category, **files) else None
        self.train, self.holdout = split_holdout(train, held and held.read_as(train.imaging), TrainConfig())
        self.test = open_dataset(root, category, settings.split, **files).read_as(self.train.imaging)
        if None in self.test.labels:
            raise DatasetError(f"{root}: {category}/{self.test.split} has no labels; choose a split that has them")

    @cached_property
    def digests(self) -> dict[str, str]:
        """Of the captures of each part; they change with any byte of any file."""
        return {part: getattr(self, part).digest() for part in PARTS}

    @cached_property
    def rig(self) -> dict[str, Any]:
        """What lights.yaml says that changes no byte of a capture: imaging, directions, distances, weights, triggers.

        Plain JSON values, without folders: a file with the region of interest is named by its content.
        """
        imaging = self.train.options.model_dump(mode="json", exclude_none=True) if self.train.options else {}
        if isinstance(roi := imaging.get("roi"), str) and roi != AUTO:
            imaging["roi"] = content_digest(Path(roi))
        said = {name: getattr(self.train.lights, name) for name in ("directions", "distances", "weights")}
        if self.train.lights.triggers is not None:  # by which a belt's motion is reckoned
            said["triggers"] = self.train.lights.triggers
        lights = {k: None if v is None else np.where(np.isnan(v), None, v).tolist() for k, v in said.items()}
        return {"imaging": imaging, **lights}

    @cached_property
    def light_faults(self) -> dict[Disturbance | None, list[list[str]] | str]:
        """Of the test captures as they are (None) and under each disturbance, if any: see `copies.light_faults`."""
        if not self.disturb:
            return {}
        captures = (capture.images for capture in read_ahead(self.train))
        reference = LightReference.learn(captures) if len(self.train) >= MIN_CAPTURES else None
        return {
            by: light_faults(self.copy(by), copy_digest(self.digests["test"], by), reference, self.store)
            for by in (None, *self.disturb)
        }

    @cached_property
    def truths(self) -> list[tuple[Record, Truth, tuple[int, int]]]:
        """Of each test capture: its record, its masks, its height and width."""
        captures = zip(self.test.records, read_ahead(self.test), strict=True)
        return [(record, truth(capture), capture.size) for record, capture in captures]

    @property
    def copies(self) -> list[Disturbance | None]:
        """What is tested: the captures as they are (None), then under every disturbance that they can be put to."""
        return [None, *(by for by in self.disturb if not isinstance(self.light_faults[by], str))]

    def copy(self, by: Disturbance | None) -> Sequence[Capture]:
        """The test captures under a disturbance; None is they as they are."""
        return self.test if by is None else DisturbedCaptures(self.test, by)

    @property
    def lights(self) -> tuple[str, ...]:
        """Names, in order."""
        return self.train.lights.names

    @property
    def teacher_digest(self) -> str:
        """Of architecture and weights. Raises ModelError, WeightsError: no such teacher or weights, a wrong size."""
        return self._reader.teacher.digest()

    def features(self, part: str, by: Disturbance | None = None) -> FeatureCache:
        """The teacher's features of all lights of "train", "holdout" or "test", memory-mapped. by: for "test"."""
        captures = getattr(self, part) if by is None else self.copy(by)
        with locked_file(self.store / "features.lock"):  # one process writes at a time, whatever the class
            for left_over in filter(is_temporary, list(self.store.iterdir())):
                shutil.rmtree(left_over, ignore_errors=True)  # of a killed process
            return cache_features(
                self._reader,
                captures,
                where="disk",
                budget_gb=0,
                folder=self.store,
                data_digest=copy_digest(self.digests[part], by),
            )

    @cached_property
    def _reader(self) -> AFRD:
        """A model that reads every light; only its teacher is used."""
        s = self.settings
        return AFRD(s.teacher, s.teacher_weights, len(self.train.lights), s.image_size, "attention")

    def images(self, part: str, light: str) -> np.ndarray:
        """[M, 3, S, S] uint8 at the settings' size, under a light policy of one image a capture.

        Of "test", one copy after the other. Seen as our own methods see them, but never in tiles.
        Raises DatasetError: as `learn_imaging`; a capture of another size than the region of interest.
        """
        sets = [self.copy(by) for by in self.copies] if part == "test" else [getattr(self, part)]
        return np.stack([self._image(self._seen(capture), light) for each in sets for capture in read_ahead(each)])

    @cached_property
    def _imaging(self) -> Imaging | None:
        """What a model of ours would learn to see captures as, in one square."""
        if self.train.options is None:
            return None
        return learn_imaging(self.train, self.settings.image_size).model_copy(update={"tiling": None})

    def _seen(self, capture: Capture) -> np.ndarray:
        """Registered, without what is outside of the region of interest, without the rig's gain: [N, C, H, W]."""
        if self._imaging is None:
            return capture.images
        if problem := self._imaging.size_problem(capture.images):
            raise DatasetError(f"capture {capture.id}: {problem[0]}; {problem[1]}")
        (images,) = self._imaging.cut(self._imaging.see_common(capture.images).images)
        return images

    def _image(self, images: np.ndarray, light: str) -> np.ndarray:
        one = images.mean(axis=0) if light == MEAN_IMAGE else images[int(light)].astype(np.float64)
        one = np.broadcast_to(one, (3, *one.shape[1:]))  # where it is grey
        scaled = torch.from_numpy(one / (257 if images.dtype == np.uint16 else 1)).float()[None]
        size = (self.settings.image_size,) * 2
        if scaled.shape[-2:] != size:
            scaled = interpolate(scaled, size, mode="bilinear", antialias=True, align_corners=False)
        return scaled[0].round().clamp(0, 255).to(torch.uint8).numpy()

"""Ours as a user gets it: trained by the settings that `afrd train` has, every capture judged as at inspection.

For models that do not read the shared features: they see lights in their own way, or at their own size.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from afrd.capture import Capture
from afrd.card import ModelCard
from afrd.comparison.class_data import ClassData
from afrd.comparison.job import Job, Limit, Scored, Settings
from afrd.datasets import read_ahead
from afrd.imaging.motion import Registered
from afrd.inspector import Inspector
from afrd.training import TrainConfig, train


def inspect(data: ClassData, job: Job, settings: Settings) -> Scored:
    """The settings' image size counts where it is not the usual one."""
    size = {} if settings.image_size == Settings().image_size else {"image_size": settings.image_size}
    config = TrainConfig.acting(
        job.method,
        teacher=settings.teacher,
        teacher_weights=settings.teacher_weights,
        accelerator=settings.accelerator,
        false_alarm_rate=settings.false_alarm_rate,
        seed=job.seed,
        **size,
    )
    with TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        card = train(data.train, run, config, holdout=data.holdout, resumable=False, cache_dir=data.store)
        return judge_as_inspected(run, card, data)


def judge_as_inspected(run: Path, card: ModelCard, data: ClassData) -> Scored:
    """Held-out and test captures by a run folder; its lights are checked apart, for every method alike."""
    inspector, is_noted = Inspector.load(run, check_lights=False), _noting(card)
    holdout_scores, holdout_maps, _ = _judged(inspector, data.holdout)
    each = [_judged(inspector, data.copy(by), is_noted) for by in data.copies]
    scores, maps, unlike = (np.concatenate(parts) for parts in zip(*each, strict=True))
    limit, known = Limit.of(card), None if is_noted is None else unlike
    return Scored(holdout_scores, scores, holdout_maps, maps, None, card.config, limit, card.captures, known)


def noted(card: ModelCard, data: ClassData) -> np.ndarray | None:
    """Of all test captures, copy after copy, whether the rig check notes them; None where no threshold goes by it."""
    is_noted = _noting(card)
    if is_noted is None:
        return None
    return np.array([is_noted(capture.images) for by in data.copies for capture in read_ahead(data.copy(by))])


def _noting(card: ModelCard) -> Callable[[np.ndarray], bool] | None:
    """Whether the rig check notes images of a capture; None where no threshold goes by it."""
    rig, imaging = card.rig_reference, card.imaging
    if rig is None or card.threshold_unlike is None:
        return None

    def is_noted(images: np.ndarray) -> bool:
        seen = imaging.see_common(images) if imaging else Registered(images)
        return rig.notes_capture(seen)

    return is_noted


def _judged(
    inspector: Inspector, captures: Sequence[Capture], is_noted: Callable[[np.ndarray], bool] | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores [K], maps [K, S, S], S the model's image size, and whether each is noted, [K]."""
    scores, maps, unlike, size = [], [], [], (inspector.card.image_size,) * 2
    for capture in read_ahead(captures):
        inspection = inspector.inspect_capture(capture)
        scores.append(inspection.score)
        maps.append(cv2.resize(inspection.anomaly_map, size, interpolation=cv2.INTER_AREA))
        unlike.append(is_noted is not None and is_noted(capture.images))
    return np.array(scores), np.stack(maps), np.array(unlike)

"""Classes of anomalib with their own training, compared as `afrd train --fusion anomalib:CLASS` gives them."""

from pathlib import Path
from tempfile import TemporaryDirectory

import afrd.integrations.anomalib  # noqa: F401  # raises MissingExtraError before a job starts
from afrd.comparison.class_data import ClassData
from afrd.comparison.inspected import judge_as_inspected
from afrd.comparison.job import Job, Scored, Settings
from afrd.training import TrainConfig, train

CLASSES = {"supersimplenet": "Supersimplenet", "dinomaly": "Dinomaly"}


def guest(data: ClassData, job: Job, settings: Settings) -> Scored:
    """Reads the mean of the lights, for the settings' epochs.

    A class that takes no backbone from outside brings its own weights, and fails where they cannot be fetched.
    """
    config = TrainConfig.acting(
        f"anomalib:{CLASSES[job.method]}",
        teacher=settings.teacher,
        teacher_weights=settings.teacher_weights,
        image_size=settings.image_size,
        false_alarm_rate=settings.false_alarm_rate,
        seed=job.seed,
        anomalib={"epochs": settings.epochs},
    )
    with TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        card = train(data.train, run, config, holdout=data.holdout, resumable=False)
        return judge_as_inspected(run, card, data)

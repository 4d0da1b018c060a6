"""Classes of anomalib with their own training, compared as `afrd train --fusion anomalib:CLASS` gives them."""

from pathlib import Path
from tempfile import TemporaryDirectory

import afrd.integrations.anomalib  # noqa: F401  # raises MissingExtraError before a job starts
from afrd.comparison.class_data import ClassData
from afrd.comparison.inspected import judge_as_inspected
from afrd.comparison.job import Job, Scored, Settings
from afrd.training import TrainConfig, train

CLASSES = {"supersimplenet": "Supersimplenet", "dinomaly": "Dinomaly"}


def require(method: str) -> None:
    """Raises ModelError: anomalib:CLASS of a class that anomalib has not, or that is no family here."""
    from afrd.integrations.anomalib.guest import class_of

    class_of(method.removesuffix("+each"))


def guest(data: ClassData, job: Job, settings: Settings) -> Scored:
    """Reads the mean of the lights, or each of them, for the settings' epochs.

    A class that takes no backbone from outside brings its own weights, and fails where they cannot be fetched.
    """
    name, each, _ = job.method.partition("+each")
    config = TrainConfig.acting(
        f"anomalib:{CLASSES[name]}" if name in CLASSES else name,
        teacher=settings.teacher,
        teacher_weights=settings.teacher_weights,
        image_size=settings.image_size,
        false_alarm_rate=settings.false_alarm_rate,
        seed=job.seed,
        anomalib={"epochs": settings.epochs, "reads": "each" if each else "mean-image"},
    )
    with TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        card = train(data.train, run, config, holdout=data.holdout, resumable=False)
        return judge_as_inspected(run, card, data)

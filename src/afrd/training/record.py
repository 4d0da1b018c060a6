"""What a run folder was started with; compared when it is continued."""

from pathlib import Path
from typing import Any, Literal

from pydantic import SerializeAsAny

from afrd.card import Lights, Strict
from afrd.datasets import CaptureSet
from afrd.errors import RunError
from afrd.families import TrainConfig
from afrd.training.holdout import split_holdout
from afrd.yaml_model import parse, read_yaml


class RunRecord(Strict):
    """run.yaml: the configuration and what it was applied to."""

    format: Literal[1] = 1
    afrd_version: str
    category: str | None
    captures: int
    holdout: int
    data_digest: str
    holdout_digest: str
    known_defects: int = 0
    known_digest: str | None = None
    lights: Lights
    teacher_digest: str
    config: SerializeAsAny[TrainConfig]

    def differences(self, other: "RunRecord") -> list[str]:
        """Where a resumed run would not be the run that was started, as "name: was → is"."""
        mine, theirs = self._deciding(), other._deciding()
        return [f"{k}: {mine[k]} → {theirs[k]}" for k in mine if k in theirs and mine[k] != theirs[k]]

    def _deciding(self) -> dict[str, Any]:
        return self.config.deciding() | self.model_dump(mode="json", exclude={"config", "afrd_version"})


def learned_from(run: Path, captures: CaptureSet) -> bool:
    """Whether these captures, as the run's model sees them, are those that it was fitted to, or its threshold set by.

    Or both together, where a share was held out. False where the run does not tell. Files are read only where there
    are as many captures as then.
    """
    try:
        record = parse(RunRecord, read_yaml(run / "run.yaml"), run / "run.yaml")
    except RunError:  # of another afrd, perhaps; the model is whole
        return False
    if any(captures.labels):
        return False
    if len(captures) == record.captures + record.holdout:
        captures, _ = split_holdout(captures, None, record.config)
    alike = len(captures) in (record.captures, record.holdout)
    return alike and captures.digest() in (record.data_digest, record.holdout_digest)

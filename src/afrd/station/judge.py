"""Which model judges, and how its inspection becomes a verdict of the station. Knows no queue and no record."""

import hashlib
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from afrd.card import ModelCard
from afrd.errors import StationError
from afrd.fail_safe import OnLightFault
from afrd.inspection import Inspection
from afrd.inspector import Inspector

FARTHEST = 1e6  # times the model's own threshold, or its share: beyond it every part would be good, or none
StationVerdict = Literal["good", "review", "anomalous", "light fault"]


@dataclass(frozen=True)
class Version:
    """A model that can judge. name: shown and recorded. threshold: set by a person, else None for the model's own."""

    name: str
    path: Path
    inspector: Inspector
    threshold: float | None = None

    def threshold_for(self, inspection: Inspection) -> float:
        """The model knows other thresholds where a light was left out; one set by a person scales them alike."""
        if self.threshold is None:
            return inspection.threshold
        return inspection.threshold * self.threshold / self.inspector.threshold


@dataclass(frozen=True)
class Judgement:
    """An inspection and what the station makes of it. seconds: of the inspection. more_notes: of the station."""

    inspection: Inspection
    verdict: StationVerdict
    threshold: float
    shown_by: str | None
    light_evidence: dict[str, float] | None
    model: str
    seconds: float
    more_notes: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What is wrong with the lights, with the whole rig, and with the capture."""
        return (*self.inspection.light_notes, *self.inspection.rig_notes, *self.more_notes)


def load_version(path: Path, threshold: float | None, on_light_fault: OnLightFault | None) -> Version:
    """A run folder or artefact, named after it and its weights.

    Raises what `Inspector.load` raises; StationError: the model judges parts from several views.
    """
    inspector = Inspector.load(path, on_light_fault=on_light_fault)
    if views := inspector.card.views:
        raise StationError(
            f"{path}: judges a part from several views, {', '.join(views)}, and a station judges each capture by "
            "itself; train a model without views, or one for each"
        )
    return Version(version_name(path, inspector.card), path, inspector, threshold)


def may_be_set(threshold: float, own: float) -> bool:
    """Whether a person may set it where the model's own threshold is `own`."""
    return math.isfinite(threshold) and 0 < own / FARTHEST <= threshold <= own * FARTHEST


def card_to_show(card: ModelCard) -> dict[str, Any]:
    """As JSON values, without what only light check and relighting read."""
    return card.model_dump(mode="json", exclude={"light_reference", "relighting"})


def version_name(path: Path, card: ModelCard) -> str:
    """Of the folder or file, of what was learnt, and of what judges: other weights, another threshold, another file."""
    judges = (card.trained_digest, card.threshold, card.thresholds_without, path.suffix)
    if card.threshold_unlike is not None:
        judges += (card.threshold_unlike,)
    return f"{path.resolve().stem[:100]}@{hashlib.sha256(repr(judges).encode()).hexdigest()[:8]}"


def named_before(version: Version, row_name: str, threshold: float) -> bool:
    """Whether an earlier afrd, which named versions by their weights alone, put this one on record.

    threshold: on that record.
    """
    card = version.inspector.card
    return row_name == f"{version.path.resolve().stem[:100]}@{card.trained_digest[:8]}" and threshold == card.threshold


class Judge:
    """One model at a time; a new one takes over between two captures.

    review: share of the threshold above which a part that is not anomalous is to be seen by a person.
    """

    def __init__(self, version: Version, review: float | None = None) -> None:
        self._version, self._review = version, review
        self._lock = threading.Lock()

    @property
    def version(self) -> Version:
        """The one that judges now."""
        with self._lock:
            return self._version

    def activate(self, version: Version) -> None:
        """Judge by this one from now on. Raises StationError: it was trained for other lights."""
        require_lights(version, self.version.inspector.lights.names)
        with self._lock:
            self._version = version

    def judge(self, images: np.ndarray, id: str) -> Judgement:
        """images: [N, 3, H, W], in the order of the lights. Raises ModelError: they do not fit the model."""
        return judged_by(self.version, images, id, self._review)


def require_lights(version: Version, lights: Sequence[str]) -> None:
    """Raises StationError: the model was trained for other lights than the station's."""
    if version.inspector.lights.names != tuple(lights):
        raise StationError(
            f"model {version.name}: was trained for the lights {', '.join(version.inspector.lights.names)}; this "
            f"station has {', '.join(lights)}: take a model that was trained for them"
        )


def judged_by(version: Version, images: np.ndarray, id: str, review: float | None) -> Judgement:
    """What one model makes of a capture; arguments and errors as of `Judge`."""
    started = time.perf_counter()
    inspection = version.inspector.inspect(images, id)
    seconds = time.perf_counter() - started
    threshold = version.threshold_for(inspection)
    verdict = station_verdict(inspection, threshold, review)
    evidence: dict[str, Any] | None = None
    if inspection.light_evidence is not None:
        names = version.inspector.lights.names
        evidence = {name: round(float(e), 6) for name, e in zip(names, inspection.light_evidence, strict=True)}
    shown = evidence is not None and verdict in ("anomalous", "review")
    return Judgement(
        inspection,
        verdict,
        threshold,
        max(evidence, key=evidence.__getitem__) if shown else None,
        evidence,
        version.name,
        seconds,
    )


def station_verdict(inspection: Inspection, threshold: float, review: float | None) -> StationVerdict:
    """What cannot be judged is a light fault whatever its score; review lies below the threshold, never above it.

    With a light out of order a part may be good only where the model itself says so: a threshold that a person raised
    makes no verdict that the lights do not allow.
    """
    if inspection.verdict not in ("good", "anomalous"):
        return "light fault"
    if not inspection.score <= threshold:
        return "anomalous"
    if not inspection.may_be_good:
        return "light fault"
    if review is not None and inspection.score > review * threshold:
        return "review"
    return "good"

"""An artefact beside the run it was made from: maps, scores, light weights, verdicts and I-AUROC.

Differences are shares of the range (largest minus smallest value) of the run's own map of that capture.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from afrd.capture import Capture
from afrd.errors import ModelError
from afrd.evaluation.metrics import image_auroc
from afrd.inspector import Inspector
from afrd.progress import Progress
from afrd.runtimes import Precision


@dataclass(frozen=True)
class Tolerance:
    """map, score: largest difference, share of the map's range.

    weights: largest difference of a light's weight, absolute.
    margin: a score this close to the threshold (same share) has no verdict that arithmetic could keep: the threshold is
        itself the score of a held-out part. A verdict that changes farther away is an error.
    auroc: how much lower I-AUROC may be; one pair of a good and a bad capture that change places always may, as few
        captures know no smaller step.
    """

    map: float
    score: float
    weights: float
    margin: float
    auroc: float


TOLERANCES: dict[Precision, Tolerance] = {
    "fp32": Tolerance(map=1e-3, score=1e-3, weights=1e-3, margin=1e-5, auroc=0.001),
    "fp16": Tolerance(map=1e-2, score=1e-2, weights=1e-2, margin=1e-3, auroc=0.001),
    "int8": Tolerance(map=0.25, score=0.2, weights=0.05, margin=0.05, auroc=0.005),
}


@dataclass(frozen=True)
class Comparison:
    """map, score, light_weights: largest differences over all captures, the last one absolute, of weights or evidence.

    changed: ids whose verdict changed; undecided: those of them within the margin of the threshold.
    auroc: I-AUROC of run and artefact; None without good and bad captures. pairs: of a good and a bad capture.
    """

    captures: int
    map: float
    score: float
    light_weights: float
    changed: tuple[str, ...]
    undecided: tuple[str, ...]
    auroc: tuple[float, float] | None
    tolerance: Tolerance
    pairs: int = 0

    @property
    def allowed_auroc(self) -> float:
        return max(self.tolerance.auroc, 1 / self.pairs if self.pairs else 0.0)

    @property
    def failures(self) -> list[str]:
        """What exceeds the tolerance, in words; empty if nothing does."""
        failed = []
        if not self.map <= self.tolerance.map:  # so that NaN fails
            failed.append(f"maps differ by {self.map:.2g} of their range, at most {self.tolerance.map:g} is allowed")
        if not self.score <= self.tolerance.score:
            failed.append(
                f"scores differ by {self.score:.2g} of the map's range, at most {self.tolerance.score:g} is allowed"
            )
        if not self.light_weights <= self.tolerance.weights:
            failed.append(
                f"light weights differ by {self.light_weights:.2g}, at most {self.tolerance.weights:g} is allowed"
            )
        wrong = [id for id in self.changed if id not in self.undecided]
        if wrong:
            failed.append(f"{len(wrong)} verdict{'s' if len(wrong) > 1 else ''} changed, first of capture {wrong[0]}")
        if self.auroc and self.auroc[0] - self.auroc[1] > self.allowed_auroc + 1e-9:
            failed.append(
                f"I-AUROC fell from {self.auroc[0]:.4f} to {self.auroc[1]:.4f}, by more than {self.allowed_auroc:.3g}"
            )
        return failed

    def lines(self) -> list[str]:
        """For a reader: each figure and what is allowed."""
        allowed = self.tolerance
        close = f", {len(self.undecided)} of them within {allowed.margin:g} of the threshold" if self.changed else ""
        lines = [
            f"compared on {self.captures} captures, shares of the map's range:",
            f"  maps     differ by at most {self.map:.2g} (allowed {allowed.map:g})",
            f"  scores   differ by at most {self.score:.2g} (allowed {allowed.score:g})",
            f"  weights  differ by at most {self.light_weights:.2g} (allowed {allowed.weights:g})",
            f"  verdicts {len(self.changed)} of {self.captures} changed{close}",
        ]
        if self.auroc:
            lines.append(
                f"  I-AUROC  {self.auroc[0]:.4f} → {self.auroc[1]:.4f} (at most {self.allowed_auroc:.3g} lower allowed)"
            )
        else:
            lines.append("  I-AUROC  not compared: no labelled good and bad captures")
        return lines


def compare(
    run: Inspector,
    artefact: Inspector,
    captures: Sequence[Capture],
    tolerance: Tolerance,
    progress: Progress | None = None,
) -> Comparison:
    """Both inspect the same captures. progress: called with (captures done, all captures)."""
    differences, changed, undecided, labels, scores = [], [], [], [], []
    for i in range(len(captures)):
        capture = captures[i]
        one, other = run.inspect_capture(capture), artefact.inspect_capture(capture)
        extent = float(np.ptp(one.anomaly_map))
        if not extent > 0:
            raise ModelError(f"capture {capture.id}: the run's map is the same everywhere; there is nothing to compare")
        differences.append(
            (
                float(np.abs(one.anomaly_map - other.anomaly_map).max()) / extent,
                abs(one.score - other.score) / extent,
                float(np.abs(one.light_shares - other.light_shares).max()),
            )
        )
        if one.anomalous != other.anomalous:
            changed.append(capture.id)
            if abs(one.score - one.threshold) <= tolerance.margin * extent:
                undecided.append(capture.id)
        labels.append(capture.anomalous)
        scores.append((one.score, other.score))
        if progress:
            progress(i + 1, len(captures))
    largest = np.max(differences, axis=0).tolist()  # NaN stays NaN
    return Comparison(
        len(captures),
        *largest,
        changed=tuple(changed),
        undecided=tuple(undecided),
        auroc=_auroc(labels, scores),
        tolerance=tolerance,
        pairs=labels.count(True) * labels.count(False),
    )


def _auroc(labels: Sequence[bool | None], scores: Sequence[tuple[float, float]]) -> tuple[float, float] | None:
    if None in labels or len(set(labels)) < 2:
        return None
    return tuple(image_auroc(labels, column, resamples=1).value for column in zip(*scores, strict=True))

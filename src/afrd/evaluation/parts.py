"""One verdict for a part that was photographed from several views: from the inspections of all of them.

A part is as bad as its worst view: its score is the largest, it is anomalous where one view is, and while the lights of
one view are at fault it is not good. The threshold is chosen for that (`afrd.training.false_alarms.of_whole_parts`).
M2AD's benchmark scores a part by the mean of its views instead; that figure is given beside.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any, Literal

from afrd.evaluation.metrics import RESAMPLES, Estimate, image_auroc

Verdict = Literal["good", "anomalous", "light fault"]


@dataclass(frozen=True)
class Part:
    """id: of the part. score: of its worst view, whose capture is `worst`. mean_score: over its views."""

    id: str
    verdict: Verdict
    score: float
    mean_score: float
    worst: str
    views: int


def judge_part(id: str, views: Sequence[tuple[str, Verdict, float]]) -> Part:
    """views: capture, verdict and score of each, one at least."""
    verdicts = {verdict for _, verdict, _ in views}
    worst = max(views, key=lambda view: view[2])
    scores = [score for *_, score in views]
    verdict = next(v for v in ("anomalous", "light fault", "good") if v in verdicts)
    return Part(id, verdict, worst[2], mean(scores), worst[0], len(views))


def judge_parts(parts: Iterable[str], views: Iterable[tuple[str, Verdict, float]]) -> list[Part]:
    """parts: the part of each view. In the order in which parts come up."""
    of_part: dict[str, list[tuple[str, Verdict, float]]] = {}
    for part, view in zip(parts, views, strict=True):
        of_part.setdefault(part, []).append(view)
    return [judge_part(part, each) for part, each in of_part.items()]


@dataclass(frozen=True)
class PartMetrics:
    """How well verdicts on whole parts agree with their labels; a part is bad where one of its views shows a defect.

    auroc: by the worst view's score. mean_auroc: by the mean of the views, as M2AD's benchmark has it.
    """

    parts: tuple[Part, ...]
    bad: tuple[bool, ...]
    auroc: Estimate
    mean_auroc: Estimate

    @property
    def confusion(self) -> dict[str, int]:
        """How many parts were found, passed, false alarm, miss, and not judged."""
        counts = dict.fromkeys(("found", "passed", "false alarm", "miss", "light fault"), 0)
        for part, bad in zip(self.parts, self.bad, strict=True):
            judged = {"anomalous": "found" if bad else "false alarm", "good": "miss" if bad else "passed"}
            counts[judged.get(part.verdict, part.verdict)] += 1
        return counts

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "n_good": self.bad.count(False),
            "n_bad": self.bad.count(True),
            "auroc": self.auroc.value,
            "auroc_ci": list(self.auroc.interval) if self.auroc.interval else None,
            "mean_auroc": self.mean_auroc.value,
            "mean_auroc_ci": list(self.mean_auroc.interval) if self.mean_auroc.interval else None,
            "confusion": {name.replace(" ", "_"): n for name, n in self.confusion.items()},
            "parts": [vars(part) | {"anomalous": bad} for part, bad in zip(self.parts, self.bad, strict=True)],
        }


def part_metrics(
    groups: Sequence[str],
    labels: Sequence[bool],
    views: Sequence[tuple[str, Verdict, float]],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> PartMetrics:
    """groups, labels, views: the part, the label, and capture, verdict and score of each view."""
    parts = judge_parts(groups, views)
    defective = {group for group, label in zip(groups, labels, strict=True) if label}
    bad = [part.id in defective for part in parts]
    options = {"seed": seed, "resamples": resamples}
    return PartMetrics(
        tuple(parts),
        tuple(bad),
        image_auroc(bad, [part.score for part in parts], **options),
        image_auroc(bad, [part.mean_score for part in parts], **options),
    )

"""One verdict for a part that was photographed from several views: from the inspections of all of them.

A part is as bad as its worst view: its score is the largest, it is anomalous where one view is, and while the lights of
one view are at fault, or a view that parts have in training is not there, it is not good. Views whose lights are at
fault say nothing else: scores are those of the others.
The threshold is chosen for that (`afrd.training.false_alarms.of_whole_parts`). M2AD's benchmark scores a part by the
mean of its views instead; that figure is given beside.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any, Literal

from afrd.datasets import CaptureSet
from afrd.errors import DatasetError
from afrd.evaluation.metrics import RESAMPLES, Estimate, image_auroc

Verdict = Literal["good", "anomalous", "light fault"]


@dataclass(frozen=True)
class Part:
    """id: of the part. score: of its worst view, whose capture is `worst`. mean_score: over its views.

    Both are of the views that were judged; of all where none was. views: how many there are. missing: views of training
    that are not there.
    """

    id: str
    verdict: Verdict
    score: float
    mean_score: float
    worst: str
    views: int
    missing: tuple[str, ...] = ()


def judge_part(id: str, views: Sequence[tuple[str, Verdict, float]], missing: tuple[str, ...] = ()) -> Part:
    """views: capture, verdict and score of each, one at least, in the unit of one threshold. missing: see Part."""
    verdicts = {verdict for _, verdict, _ in views} | ({"light fault"} if missing else set())
    judged = [view for view in views if view[1] != "light fault"] or views
    worst = max(judged, key=lambda view: view[2])
    scores = [score for *_, score in judged]
    verdict = next(v for v in ("anomalous", "light fault", "good") if v in verdicts)
    return Part(id, verdict, worst[2], mean(scores), worst[0], len(views), missing)


def judge_parts(
    parts: Iterable[str],
    views: Iterable[tuple[str, Verdict, float]],
    missing: Mapping[str, tuple[str, ...]] | None = None,
) -> list[Part]:
    """parts: the part of each view. missing: views that a part should have. In the order in which parts come up."""
    of_part: dict[str, list[tuple[str, Verdict, float]]] = {}
    for part, view in zip(parts, views, strict=True):
        of_part.setdefault(part, []).append(view)
    return [judge_part(part, each, (missing or {}).get(part, ())) for part, each in of_part.items()]


def require_views(captures: CaptureSet, expected: Sequence[str] | None) -> None:
    """Raises DatasetError where a model judges parts from such views, and these captures are views of no part."""
    if expected and not getattr(captures, "views", False):
        raise DatasetError(
            f"{captures.root}: the model judges a part from all its views, {', '.join(expected)}, and these captures "
            "do not say which part and view they are; name them by a pattern, e.g. --pattern '{id}/{view}_{light}.png'"
        )


@dataclass(frozen=True)
class PartMetrics:
    """How well verdicts on whole parts agree with their labels; a part is bad where one of its views shows a defect.

    auroc: by the worst view's score. mean_auroc: by the mean of the views, as M2AD's benchmark has it. Parts with the
    verdict light fault are in neither.
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

    @property
    def n_good(self) -> int:
        """How many good parts have a verdict."""
        return self.confusion["passed"] + self.confusion["false alarm"]

    @property
    def n_bad(self) -> int:
        """How many bad parts have a verdict."""
        return self.confusion["found"] + self.confusion["miss"]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "n_good": self.n_good,
            "n_bad": self.n_bad,
            "auroc": self.auroc.value,
            "auroc_ci": list(self.auroc.interval) if self.auroc.interval else None,
            "mean_auroc": self.mean_auroc.value,
            "mean_auroc_ci": list(self.mean_auroc.interval) if self.mean_auroc.interval else None,
            "ap": self.auroc.average_precision,
            "mean_ap": self.mean_auroc.average_precision,
            "f1_max": self.auroc.best_f1,
            "mean_f1_max": self.mean_auroc.best_f1,
            "confusion": {name.replace(" ", "_"): n for name, n in self.confusion.items()},
            "parts": [vars(part) | {"anomalous": bad} for part, bad in zip(self.parts, self.bad, strict=True)],
        }


def part_metrics(
    groups: Sequence[str],
    labels: Sequence[bool],
    views: Sequence[tuple[str, Verdict, float]],
    missing: Mapping[str, tuple[str, ...]] | None = None,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> PartMetrics:
    """groups, labels, views: the part, the label, and capture, verdict and score of each view. missing: see Part."""
    parts = judge_parts(groups, views, missing)
    defective = {group for group, label in zip(groups, labels, strict=True) if label}
    bad = [part.id in defective for part in parts]
    judged = [(part, label) for part, label in zip(parts, bad, strict=True) if part.verdict != "light fault"]
    if judged:
        labelled, options = [label for _, label in judged], {"seed": seed, "resamples": resamples}
        auroc = image_auroc(labelled, [part.score for part, _ in judged], **options)
        mean_auroc = image_auroc(labelled, [part.mean_score for part, _ in judged], **options)
    else:
        auroc = mean_auroc = Estimate(
            None, reason=f"no part was judged, {len(parts)} have a fault of the lights or lack a view"
        )
    return PartMetrics(tuple(parts), tuple(bad), auroc, mean_auroc)

"""From what a method said of captures, as they are and disturbed, to the figures of a result file."""

from typing import Any

import cv2
import numpy as np

from afrd.comparison.class_data import ClassData
from afrd.comparison.job import Limit, Scored, Settings
from afrd.disturb import Disturbance, follow
from afrd.evaluation.evaluate import compare
from afrd.evaluation.result import CaptureResult, Evaluation
from afrd.evaluation.truth import Truth
from afrd.training.false_alarms import of_whole_parts
from afrd.training.threshold import false_alarm_bound, reachable_rate, threshold

_FIGURES = ("image_auroc", "pixel_auroc", "au_pro")


def by_copy(data: ClassData, scored: Scored) -> dict[Disturbance | None, Scored]:
    """What was said of each copy of the test captures; None is they as they are."""
    n = len(data.test)

    def part(values: np.ndarray | None, k: int) -> np.ndarray | None:
        return None if values is None else values[k * n : (k + 1) * n]

    return {
        by: scored._replace(
            scores=part(scored.scores, k),
            maps=part(scored.maps, k),
            light_weights=part(scored.light_weights, k),
            unlike=part(scored.unlike, k),
        )
        for k, by in enumerate(data.copies)
    }


def figures_of(data: ClassData, scored: Scored, settings: Settings) -> dict[str, Any]:
    """Metrics, with the score of every capture, of the test captures as they are."""
    figures = _evaluate(data, scored, settings, None).to_json()
    limit = _limit(data, scored, settings)
    for name in ("config", "seconds_per_capture"):  # the settings stand once; inspection was not timed
        del figures[name]
    for name in ("light_fault_rate_good", "light_fault_rate_bad", "light_faults"):  # scores are judged, not lights
        del figures[name]
    return figures | {
        "stated_rate": limit.rate,
        "false_alarm_bound": limit.bound,
        "light_fault_rate": _light_fault_rate(data, None),
    }


def disturbed_results(
    data: ClassData, copies: dict[Disturbance | None, Scored], settings: Settings
) -> dict[str, dict[str, Any]]:
    """The same under each disturbance that was asked for, by its name; "refused" says why one could not be applied.

    scores, above (the threshold): in the order of the test captures.
    """
    results = {}
    for by in data.disturb:
        if by not in copies:
            results[str(by)] = {"refused": data.light_faults[by]}
            continue
        figures = _evaluate(data, copies[by], settings, by).to_json()
        wanted = (*_FIGURES, *(f"{name}_ci" for name in _FIGURES), "undefined", "false_alarm_rate", "miss_rate")
        results[str(by)] = {name: figures[name] for name in wanted} | {
            "light_fault_rate": _light_fault_rate(data, by),
            "scores": [float(score) for score in copies[by].scores],
            "above": (copies[by].scores > _limits(copies[by], _limit(data, copies[by], settings))).tolist(),
        }
    return results


def _evaluate(data: ClassData, scored: Scored, settings: Settings, by: Disturbance | None) -> Evaluation:
    """The metrics of the whole project; those of single defect types only of captures as they are."""
    if not np.isfinite(scored.holdout_scores).all():
        raise ValueError(f"scores of held-out captures are not finite: {scored.holdout_scores}")
    limit = _limit(data, scored, settings)
    limits = _limits(scored, limit)
    results, truths, maps = [], [], None if scored.maps is None else []
    for i, (record, known, size) in enumerate(data.truths):
        score = float(scored.scores[i])
        if not np.isfinite(score):
            raise ValueError(f"capture {record.id}: its score is {score}")
        weights = None if scored.light_weights is None else scored.light_weights[i].astype(np.float64).round(4)
        defects = record.defects if by is None else ()
        above = score > limits[i]
        results.append(CaptureResult(record.id, bool(record.anomalous), defects, score, above, weights))
        truths.append(known if by is None or known.mask is None else Truth.of(follow(known.mask, by, 0, record.id), {}))
        if maps is not None:
            maps.append(cv2.resize(scored.maps[i].astype(np.float32), size[::-1]))
    return compare(data.test, results, truths, maps, threshold=limit.threshold, seconds_per_capture=None, config={})


def _limits(scored: Scored, limit: Limit) -> np.ndarray:
    """[K]: of each capture."""
    if scored.unlike is None or limit.unlike is None:
        return np.full(len(scored.scores), limit.threshold)
    return np.where(scored.unlike, limit.unlike, limit.threshold)


def _limit(data: ClassData, scored: Scored, settings: Settings) -> Limit:
    """The method's own, else from the scores of held-out parts."""
    if scored.limit is not None:
        return scored.limit
    scores, groups = of_whole_parts(scored.holdout_scores.tolist(), data.holdout)
    rate, parts = settings.false_alarm_rate, len(set(groups))
    return Limit(
        threshold(scores, rate, groups),
        reachable_rate(parts, rate),
        false_alarm_bound(parts, rate, several=parts < len(groups)),
    )


def _light_fault_rate(data: ClassData, by: Disturbance | None) -> float | None:
    """Share of good test captures whose lights are reported; None where they were not looked at."""
    faults = data.light_faults.get(by)
    if faults is None:
        return None
    good = [len(found) > 0 for found, bad in zip(faults, data.test.labels, strict=True) if not bad]
    return sum(good) / len(good) if good else None

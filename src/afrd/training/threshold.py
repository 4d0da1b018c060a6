"""The threshold between good and not: from scores of held-out good parts, and from nothing else.

What is promised is about new good parts. A part may have been photographed more than once, or be there with disturbed
copies; then its captures are one group, and parts are counted, not captures. A part counts

- by "mean", the share of its captures above the threshold: a new good part, photographed once as the held-out ones
  were, is called anomalous with at most the stated probability (conformal risk control, Angelopoulos et al. 2024);
- by "worst", its largest score: with at most that probability *any* capture of a new good part is called anomalous.

With one capture a part both are split conformal prediction (Vovk et al. 2005).
"""

import math
from collections.abc import Hashable, Sequence
from typing import Literal

import numpy as np
from scipy.optimize import brentq
from scipy.special import betaincinv, rel_entr

Count = Literal["mean", "worst"]

CONFIDENCE = 0.9  # with which `false_alarm_bound` holds
ROUNDING = 1e-4  # relative; folded and exported models round otherwise than the one that scored the held-out parts
_EXACT = 1e-9  # (n + 1) · rate may miss a whole number by its rounding


def threshold(
    scores: Sequence[float],
    false_alarm_rate: float,
    groups: Sequence[Hashable] | None = None,
    count: Count = "mean",
) -> float:
    """Score above which a part is called anomalous.

    groups: the part of each score; None: every score is of a part of its own. count: see the module.

    The smallest score that has at most (n + 1) · rate - 1 of the n parts above it; with one capture a part it is the
    ⌈(n + 1)(1 - rate)⌉-th smallest. With fewer than 1 / rate - 1 parts no threshold can promise the rate; then it is
    the largest score, whose rate is 1 / (n + 1): see `reachable_rate`. `ROUNDING` is added, so that the part that sets
    it is not above it when it is inspected.

    Raises ValueError: no scores, scores that are not finite, another number of groups.
    """
    scores, weights = by_part(scores, groups, count)
    order = np.argsort(scores)
    above = np.append(np.cumsum(weights[order][::-1])[::-1][1:], 0.0)  # parts above each score
    first = int(np.argmax(above <= max(allowed_above(round(weights.sum()), false_alarm_rate), 0) + _EXACT))
    value = float(scores[order][first])
    return value * (1 + math.copysign(ROUNDING, value))


def by_part(
    scores: Sequence[float], groups: Sequence[Hashable] | None = None, count: Count = "mean"
) -> tuple[np.ndarray, np.ndarray]:
    """Scores and their weights in parts, which sum to 1 over each part; by "worst" one score a part. Both [m] float64.

    Raises ValueError as `threshold`.
    """
    values = np.asarray(scores, dtype=np.float64)
    if not len(values):
        raise ValueError("no held-out scores")
    if not np.isfinite(values).all():
        raise ValueError("held-out scores that are not finite")
    names = range(len(values)) if groups is None else groups
    if len(names) != len(values):
        raise ValueError(f"{len(names)} groups for {len(values)} scores; give the part of each score")
    numbers = {name: i for i, name in enumerate(dict.fromkeys(names))}
    part = np.array([numbers[name] for name in names])
    if count == "worst":
        largest = np.full(len(numbers), -np.inf)
        np.maximum.at(largest, part, values)
        return largest, np.ones(len(numbers))
    return values, 1 / np.bincount(part)[part]


def allowed_above(parts: int, false_alarm_rate: float) -> float:
    """How many of the held-out parts may lie above the threshold; below 0 where the rate cannot be promised."""
    return (parts + 1) * false_alarm_rate - 1


def reachable_rate(parts: int, false_alarm_rate: float) -> float:
    """The rate that so many held-out parts can promise: the one asked for, or 1 / (n + 1) where they are too few."""
    return max(false_alarm_rate, 1 / (parts + 1))


def false_alarm_bound(
    parts: int, false_alarm_rate: float, *, several: bool = False, confidence: float = CONFIDENCE
) -> float:
    """The rate that the threshold's true rate does not exceed, with the given confidence over draws of held-out parts.

    several: parts have several captures and count by "mean".

    The stated rate is right on average over stations; a single one has what its held-out parts happened to be. The
    true rate of the k-th smallest of n scores is Beta(n - k + 1, k) distributed, whatever the scores are (Wilks 1941),
    and the bound is its quantile: exact. With several captures a part, shares instead of yes or no are added up; then
    the bound is on the safe side, the lower of two: Hoeffding's for means of anything between 0 and 1 (1963), and that
    of a binomial number with half the doubt, since shares rounded at random make one, and at least half of the time one
    that is not above their sum, rounded up.
    """
    return bound_with_above(parts, allowed_above(parts, false_alarm_rate), several=several, confidence=confidence)


def bound_with_above(parts: int, above: float, *, several: bool = False, confidence: float = CONFIDENCE) -> float:
    """The same of a threshold that leaves at most so many of the held-out parts above it."""
    if not several or above <= _EXACT:
        return _beta_bound(parts, math.floor(max(above, 0) + _EXACT), 1 - confidence)
    share = min(above / parts, 1)

    def excess(rate: float) -> float:
        return parts * (rel_entr(share, rate) + rel_entr(1 - share, 1 - rate)) + math.log(1 - confidence)

    hoeffding = brentq(excess, share, 1 - 1e-12) if excess(1 - 1e-12) > 0 else 1.0
    return min(hoeffding, _beta_bound(parts, math.ceil(above - _EXACT), (1 - confidence) / 2))


def _beta_bound(parts: int, above: int, doubt: float) -> float:
    return float(betaincinv(above + 1, parts - above, 1 - doubt)) if above < parts else 1.0


def parts_needed(false_alarm_rate: float, confidence: float | None = None) -> int:
    """How many held-out good parts a rate takes: on average, or so that it holds with a confidence.

    With that number the threshold is the largest score. For the confidence train with the rate 1 / (n + 1).
    """
    if confidence is None:
        return math.ceil(1 / false_alarm_rate - 1 - _EXACT)
    return math.ceil(math.log(1 - confidence) / math.log1p(-false_alarm_rate) - _EXACT)

"""The threshold for a stated false-alarm rate, what it promises, and what it takes to promise more."""

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from afrd.card import ModelCard
from afrd.datasets import CaptureSet
from afrd.rates import percent
from afrd.training.tail import Tail, require_parts
from afrd.training.threshold import (
    CONFIDENCE,
    Count,
    allowed_above,
    bound_with_above,
    by_part,
    false_alarm_bound,
    parts_needed,
    reachable_rate,
    threshold,
)

TailName = Literal["conformal", "gpd"]


@dataclass(frozen=True)
class Threshold:
    """value: the score above which a part is called anomalous, and what it promises of new good parts.

    rate: on average over stations. bound: holds with 90 % confidence. parts: held out.
    tail: "gpd" where the tail was needed. interval: then, with the same confidence, where the score lies that the
        stated share of good parts exceeds.
    """

    value: float
    rate: float
    bound: float
    parts: int
    tail: TailName = "conformal"
    interval: tuple[float, float] | None = None


def choose_threshold(
    scores: Sequence[float],
    false_alarm_rate: float,
    groups: Sequence[Hashable] | None = None,
    *,
    count: Count = "mean",
    tail: TailName = "conformal",
    highest: float = math.inf,
) -> Threshold:
    """scores, groups, count: of held-out good parts, as for `afrd.training.threshold`.

    tail: "gpd" fits a generalised Pareto tail (`afrd.training.tail`) to each part's largest score where the rate is
        below 1 / (n + 1); "conformal" then gives the largest score, and says what it promises.
    highest: the threshold is not above it.
    Raises DatasetError: too few parts for the tail. ValueError as `threshold`.
    """
    values, weights = by_part(scores, groups, count)
    parts, several = round(weights.sum()), bool((weights < 1).any())
    rate = reachable_rate(parts, false_alarm_rate)
    if tail == "gpd" and rate > false_alarm_rate:
        fitted = Tail(by_part(scores, groups, "worst")[0])
        value = fitted.threshold(false_alarm_rate)
        reached = min(value, highest)
        if reached > fitted.start:
            rate = false_alarm_rate if reached == value else fitted.rate(reached)
            return Threshold(reached, rate, fitted.bound(reached), parts, "gpd", fitted.interval(false_alarm_rate))
    value, above = threshold(scores, false_alarm_rate, groups, count), allowed_above(parts, false_alarm_rate)
    if value > highest:
        value, above = highest, max(above, float(weights[values > highest].sum()))
        rate = max(rate, (above + 1) / (parts + 1))
    return Threshold(value, rate, bound_with_above(parts, above, several=several), parts)


def of_whole_parts(scores: Sequence[float], captures: CaptureSet) -> tuple[list[float], list[str]]:
    """Scores and the part of each, for the threshold. captures: those scored, where they may stand several times.

    Where captures are views and a part gets one verdict, a part's score is the largest of its views, once each time
    that they were scored.
    """
    if not captures.views:
        return list(scores), captures.groups
    times: Counter[str] = Counter()
    largest: dict[tuple[str, int], float] = {}
    for score, record, part in zip(scores, captures.records, captures.groups, strict=True):
        key = part, times[record.id]
        times[record.id] += 1
        largest[key] = max(score, largest.get(key, -math.inf))
    return list(largest.values()), [part for part, _ in largest]


def require_enough(parts: int, false_alarm_rate: float, tail: TailName) -> None:
    """Before anything is learned. Raises DatasetError: held-out parts too few for the tail that the rate takes."""
    if tail == "gpd" and reachable_rate(parts, false_alarm_rate) > false_alarm_rate:
        require_parts(parts)


def shortfall(chosen: Threshold, false_alarm_rate: float, in_folds: bool = False) -> str | None:
    """Why a threshold does not promise the rate, and how many more parts would; None where it does.

    in_folds: every part is scored, none is held out (`afrd.training.cross_fit`).
    """
    if chosen.rate <= false_alarm_rate * (1 + 1e-9):
        return None
    said = f"promise a false-alarm rate of {percent(chosen.rate)}, not {percent(false_alarm_rate)}"
    missing = parts_needed(false_alarm_rate) - chosen.parts
    if chosen.tail == "gpd" or missing <= 0:
        return (
            f"{chosen.parts} held-out good parts {said}: the threshold cannot be above {chosen.value:.4g}, or no part "
            f"would be called anomalous. They score too high for that; learn from more good parts."
        )
    more = f"Add {missing} more." if in_folds else f"Hold out {missing} more, in val or by --holdout-share."
    return f"{chosen.parts} held-out good parts can {said}: the threshold is their largest score. {more}"


def advice(card: ModelCard) -> list[str]:
    """How many more held-out good parts the wished rate takes, or which rate to state; a line each."""
    wished, parts = card.config["false_alarm_rate"], card.holdout_parts
    lines, named = [], percent(wished)
    if (missing := parts_needed(wished) - parts) > 0:
        observed = " to be observed instead of extrapolated" if card.tail == "gpd" else ""
        lines.append(f"{named}{observed} takes {missing} more held-out good parts")
    if card.false_alarm_bound > wished:
        needed = max(parts_needed(wished, CONFIDENCE), parts)
        more = f"{needed - parts} more held-out good parts and " if needed > parts else ""
        # of a part's views the worst is its one score
        rate = confident_rate(needed, wished, several=card.holdout > parts and card.views is None)
        lines.append(f"{named} with 90 % confidence takes {more}--false-alarm-rate {rate:g}")
    return lines


def confident_rate(parts: int, wished: float, *, several: bool = False) -> float:
    """The rate to state so that the bound is the wished rate. Raises ValueError: too few parts for it."""
    least = 1 / (parts + 1)  # whose threshold is the largest score: its bound is the least there is
    digits = 10 ** (5 - math.floor(math.log10(least)))
    readable = math.ceil(least * digits) / digits  # six, as it is printed
    rates = [float(f"{share * wished:.4g}") for share in np.arange(999, 0, -1) / 1000]
    for rate in [*(rate for rate in rates if rate >= least), readable, least]:
        if false_alarm_bound(parts, rate, several=several) <= wished * (1 + 1e-9):
            return rate
    raise ValueError(f"{parts} parts hold no rate of {wished} with {CONFIDENCE:.0%} confidence")

"""The thresholds of a card and what they promise: after training and after growth by one rule."""

import warnings
from collections.abc import Sequence
from typing import Any

from afrd.datasets import CaptureSet
from afrd.errors import DatasetError
from afrd.families import HeldOutScores, TrainConfig
from afrd.training.false_alarms import Threshold, choose_threshold, of_whole_parts, shortfall

BELOW_HIGHEST = 0.99  # of the highest score there is: a part that reaches it is anomalous, whatever was held out


def promises(
    held_out: HeldOutScores, scored: CaptureSet, config: TrainConfig, highest: float, doubtful: str | None
) -> dict[str, Any]:
    """The fields of `afrd.card.ModelCard` that follow from scores of good parts.

    scored: the captures of the scores, unless they name others. highest: no score is above it.
    doubtful: the group of a part that is perhaps not good and is not counted; None: there is none.
    Warns where a threshold promises less than the stated rate, and where scores have no tail: then it is conformal.
    """
    scored = held_out.captures or scored

    counted = [i for i, group in enumerate(scored.groups) if group != doubtful] or range(len(scored))
    of = scored.subset(counted)

    def choose(scores: Sequence[float]) -> Threshold:
        values, parts = of_whole_parts([scores[i] for i in counted], of)
        try:
            return choose_threshold(
                values, config.false_alarm_rate, parts, tail=config.tail, highest=BELOW_HIGHEST * highest
            )
        except DatasetError as error:  # after the fit: a threshold that promises less is better than none
            warnings.warn(f"{error}. This threshold is conformal", stacklevel=4)
            return choose_threshold(values, config.false_alarm_rate, parts, highest=BELOW_HIGHEST * highest)

    chosen, in_folds = choose(held_out.like or held_out.scores), held_out.fitted is not None
    if few := shortfall(chosen, config.false_alarm_rate, in_folds):
        warnings.warn(few, stacklevel=3)
    without = [None if scores is None else choose(scores) for scores in held_out.without or ()]
    for light, other in zip(scored.lights.names, without, strict=False):
        if other and other.rate > chosen.rate and (few := shortfall(other, config.false_alarm_rate, in_folds)):
            warnings.warn(f"without light {light}: {few}", stacklevel=3)
    wide = None if held_out.like is None else choose(held_out.scores)
    if wide and wide.rate > chosen.rate and (few := shortfall(wide, config.false_alarm_rate, in_folds)):
        warnings.warn(f"of captures that the rig check notes: {few}", stacklevel=3)
    return {
        "threshold": chosen.value,
        "threshold_unlike": wide and max(wide.value, chosen.value),
        "false_alarm_rate": chosen.rate,
        "false_alarm_bound": chosen.bound,
        "holdout": len(counted),
        "holdout_parts": chosen.parts,
        "tail": chosen.tail,
        "threshold_interval": chosen.interval,
        "thresholds_without": tuple(each and each.value for each in without) or None,
    }

"""The threshold between good and not: from scores of held-out good parts, and from nothing else."""

import math
from collections.abc import Sequence

import numpy as np

ROUNDING = 1e-4  # relative; folded and exported models round otherwise than the one that scored the held-out parts


def threshold(scores: Sequence[float], false_alarm_rate: float) -> float:
    """Score above which a part is called anomalous.

    The ⌈(n + 1)(1 - rate)⌉-th smallest of n scores: a new good part lies above it with probability at most the rate
    (split conformal prediction, Vovk et al. 2005). With fewer than 1 / rate - 1 scores no threshold can promise that;
    then it is the largest score, whose rate is 1 / (n + 1): see `reachable_rate`. `ROUNDING` is added, so that the part
    that sets it is not above it when it is inspected.
    """
    n = len(scores)
    if n == 0:
        raise ValueError("no held-out scores")
    return float(np.sort(scores)[min(n, math.ceil((n + 1) * (1 - false_alarm_rate) - 1e-9)) - 1]) * (1 + ROUNDING)


def reachable_rate(n: int, false_alarm_rate: float) -> float:
    """The rate that n held-out captures can promise: the one asked for, or 1 / (n + 1) where n is too small."""
    return max(false_alarm_rate, 1 / (n + 1))

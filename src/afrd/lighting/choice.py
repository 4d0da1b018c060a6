"""Which subset of lights is recommended, and what a subset chosen this way is worth on other parts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from afrd.lighting.resampling import Resampled


@dataclass(frozen=True)
class Interval:
    """value, and between what it lies with 95 % confidence."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Choice:
    """index: of the subset chosen; best: of the one of highest I-AUROC.

    own: I-AUROC of the chosen one on the parts it was chosen by, which flatters it. against_all: that less the I-AUROC
    of all lights. elsewhere: I-AUROC of subsets chosen in the same way on resampled parts, on the parts that took no
    part in their choice; None where too few parts are left. share: of resamples in which the same one is chosen.
    """

    index: int
    best: int
    own: Interval
    against_all: Interval
    elsewhere: Interval | None
    share: float


def choose(parts: Resampled, scores: np.ndarray, costs: Sequence[tuple], all_lights: int) -> Choice:
    """The cheapest subset within one standard error of the best (Breiman et al. 1984).

    scores: [M, K] of M subsets. costs: [M], the smaller the cheaper. all_lights: the row of the subset of all.
    The standard error is that of the difference to the best one on the same parts.
    """
    whole = np.array([parts.value(row) for row in scores])
    drawn = np.stack([parts.values(row) for row in scores])  # [M, R]
    best = _cheapest(np.flatnonzero(whole == whole.max()), costs)
    error = (drawn[best] - drawn).std(1)
    index = _within(whole, error, costs)
    again = np.array([_within(values, error, costs) for values in drawn.T])
    outside = np.stack([parts.values(row, parts.left_out) for row in scores])
    elsewhere = outside[again, np.arange(len(again))]
    elsewhere = elsewhere[np.isfinite(elsewhere)]
    return Choice(
        index,
        int(best),
        _interval(whole[index], drawn[index]),
        _interval(whole[index] - whole[all_lights], drawn[index] - drawn[all_lights]),
        _interval(elsewhere.mean(), elsewhere) if len(elsewhere) > 1 else None,
        float((again == index).mean()),
    )


def _within(values: np.ndarray, error: np.ndarray, costs: Sequence[tuple]) -> int:
    return _cheapest(np.flatnonzero(values + error >= values.max() - 1e-9), costs, values)


def _cheapest(indices: np.ndarray, costs: Sequence[tuple], values: np.ndarray | None = None) -> int:
    return min(map(int, indices), key=lambda i: (*costs[i], 0.0 if values is None else -values[i], i))


def pareto(costs: Sequence[float], values: Sequence[float]) -> list[int]:
    """The subsets than which none is at once as cheap and better, or cheaper and as good; by cost."""
    front: list[int] = []
    for i in sorted(range(len(costs)), key=lambda i: (costs[i], -values[i])):
        if not front or values[i] > values[front[-1]]:
            front.append(i)
    return front


def _interval(value: float, drawn: np.ndarray) -> Interval:
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return Interval(float(value), float(low), float(high))

"""How long an EWMA chart runs without a signal while nothing has changed, and the limits that follow from it."""

import math
from functools import cache

import numpy as np

STATES = 121


def run_length(weight: float, limit: float) -> float:
    """Mean number of captures to a false signal of a two-sided chart of independent normal values.

    weight: λ. limit: in standard deviations of the average, √(λ / (2 - λ)) of a capture's. A Markov chain over the
    places of the average (Brook and Evans 1972; Lucas and Saccucci 1990).
    """
    width = limit * math.sqrt(weight / (2 - weight))
    edges = np.linspace(-width, width, STATES + 1)
    centres = (edges[1:] + edges[:-1]) / 2
    reached = _normal((edges - (1 - weight) * centres[:, None]) / weight)
    moves = np.diff(reached, axis=1)
    return float(np.linalg.solve(np.eye(STATES) - moves, np.ones(STATES))[STATES // 2])


@cache
def limit_for(weight: float, captures: float) -> float:
    """The limit, as of `run_length`, whose mean run length is so many captures."""
    low, high = 0.5, 8.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (low, middle) if run_length(weight, middle) > captures else (middle, high)
    return high


def spread_bound(degrees: int) -> float:
    """What a standard deviation from so many degrees of freedom is multiplied with to be above the true one, 90 %.

    √(ν / χ²₀.₁), by Wilson and Hilferty's approximation.
    """
    part = 2 / (9 * degrees)
    return float(max(1 - part - 1.2816 * math.sqrt(part), 0.1) ** -1.5)


def _normal(x: np.ndarray) -> np.ndarray:
    return np.array([0.5 * math.erfc(-value / math.sqrt(2)) for value in x.ravel()]).reshape(x.shape)

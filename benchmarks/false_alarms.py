"""Do thresholds keep their word? Stated rate, its bound, and what simulated stations then see.

    python benchmarks/false_alarms.py --out benchmarks/results/false_alarms.json

A station holds out n good parts, sets its threshold, and has a true false-alarm rate, which is known here. Over many
stations the mean of the true rates should be at most the stated rate, and 90 of 100 should lie below their bound.

- split: scores drawn from a distribution, 5 % stated.
- disturbed: the same with six captures a part, alike by half, counted by "mean" and by "worst".
- cross-fit: n parts in all, 12 places each, of a Gaussian-like model that is fitted to them (mean and covariance in 8
  dimensions, score the largest distance); every part is scored without its fold. Beside it the model that holds out a
  third, and the one that scores the parts it was fitted to.
- gpd: 0.1 % stated, by the tail; also the interval of the score that 0.1 % exceed, and how far the threshold lies from
  the median, in units of how far that score does.


"""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from afrd.errors import DatasetError
from afrd.files import write_text
from afrd.training.cross_fit import cross_fit
from afrd.training.false_alarms import choose_threshold
from afrd.training.tail import Tail

NUMBERS, RATE, LOW_RATE = (6, 12, 20, 60), 0.05, 0.001
SCORES = {
    "normal": stats.norm(),
    "lognormal": stats.lognorm(0.5),
    "gamma": stats.gamma(2),
    "heavy tail (t, 3 degrees)": stats.t(3),
}
COPIES, PLACES, DIMENSIONS, NEW_PARTS = 6, 12, 8, 1000

Draw = tuple[float, float, float]
"""Of one station: stated rate, bound, true rate."""


def split(name: str, n: int, rng: np.random.Generator) -> Draw:
    chosen = choose_threshold(SCORES[name].rvs(n, random_state=rng), RATE)
    return chosen.rate, chosen.bound, float(SCORES[name].sf(chosen.value))


def copies(parts: int, rng: np.random.Generator) -> np.ndarray:
    """[parts, COPIES], normal; those of a part are alike by half."""
    return (rng.standard_normal((parts, 1)) + rng.standard_normal((parts, COPIES))) / 2**0.5


def disturbed(name: str, n: int, rng: np.random.Generator, count: str) -> Draw:
    """Scores as of `name`, alike as their normal ones are (a Gaussian copula)."""
    scores = SCORES[name].isf(stats.norm.sf(copies(n, rng)))
    chosen = choose_threshold(scores.ravel(), RATE, np.repeat(np.arange(n), COPIES), count=count)
    rate = float(SCORES[name].sf(chosen.value))
    if count == "worst":
        rate = float((copies(NEW_PARTS, rng).max(1) > stats.norm.isf(rate)).mean())
    return chosen.rate, chosen.bound, rate


def good_parts(name: str, count: int, rng: np.random.Generator) -> np.ndarray:
    """[count, PLACES, DIMENSIONS]: a part's own offset and its places', lengths distributed as `name`."""
    own, places = rng.standard_normal((2, count, PLACES, DIMENSIONS))
    vectors = 0.7 * own[:, :1] + 0.7 * places
    lengths = np.abs(SCORES[name].rvs((count, PLACES, 1), random_state=rng))
    return vectors if name == "normal" else vectors / np.linalg.norm(vectors, axis=2, keepdims=True) * lengths


def fit(parts: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """From parts to their scores: the largest distance of a place, with 1 % shrinkage as in the joint model."""
    vectors = parts.reshape(-1, DIMENSIONS)
    covariance = np.cov(vectors, rowvar=False)
    covariance += 0.01 * np.trace(covariance) / DIMENSIONS * np.eye(DIMENSIONS)
    mean, whitening = vectors.mean(0), np.linalg.inv(np.linalg.cholesky(covariance)).T
    return lambda new: np.square((new - mean) @ whitening).sum(2).max(1)


def fitted(name: str, n: int, rng: np.random.Generator, protocol: str) -> Draw:
    parts = good_parts(name, n, rng)
    if protocol == "held-out third":
        scorer = fit(parts[n // 3 :])
        scores = scorer(parts[: n // 3])
    else:
        scorer = fit(parts)
        scores = scorer(parts)
    if protocol == "cross-fit":
        scores = cross_fit(np.arange(n), lambda fold: lambda i: fit(np.delete(parts, fold, 0))(parts[i]))
    chosen = choose_threshold(scores, RATE)
    return chosen.rate, chosen.bound, float((scorer(good_parts(name, NEW_PARTS, rng)) > chosen.value).mean())


def gpd(name: str, n: int, rng: np.random.Generator) -> tuple[float, ...]:
    """Of one station: a Draw, whether the interval holds the true score, the threshold's distance."""
    distribution = SCORES[name]
    tail = Tail(distribution.rvs(n, random_state=rng))
    value, (low, high) = tail.threshold(LOW_RATE), tail.interval(LOW_RATE)
    aim, middle = distribution.isf(LOW_RATE), distribution.median()
    distance = (value - middle) / (aim - middle)
    return LOW_RATE, tail.bound(value), float(distribution.sf(value)), float(low <= aim <= high), float(distance)


def summary(draws: np.ndarray) -> dict[str, float]:
    """draws: [stations, 3 or 5]."""
    stated, bound, true = draws.T[:3]
    found = {
        "stated": np.mean(stated),
        "bound": np.median(bound),
        "mean_rate": np.mean(true),
        "mean_rate_error": np.std(true) / len(true) ** 0.5,
        "rate_90_percentile": np.quantile(true, 0.9),
        "within_bound": np.mean(true <= bound),
    }
    if draws.shape[1] == 5:
        found |= {"within_interval": np.mean(draws[:, 3]), "distance": np.median(draws[:, 4])}
    return {key: round(float(value), 5) for key, value in found.items()}


EXPERIMENTS: dict[str, tuple[Callable[..., tuple[float, ...]], dict[str, str], tuple[int, ...], int]] = {
    "split": (split, {}, NUMBERS, 2000),
    "disturbed, mean": (disturbed, {"count": "mean"}, NUMBERS, 500),
    "disturbed, worst": (disturbed, {"count": "worst"}, NUMBERS, 500),
    "fitted to all, scored on the same": (fitted, {"protocol": "the same"}, NUMBERS, 200),
    "held-out third": (fitted, {"protocol": "held-out third"}, NUMBERS, 200),
    "cross-fit": (fitted, {"protocol": "cross-fit"}, NUMBERS, 200),
    "gpd": (gpd, {}, (*NUMBERS, 200), 200),
}


def measure() -> Iterator[dict[str, Any]]:
    for experiment, (station, options, numbers, stations) in EXPERIMENTS.items():
        for name in SCORES:
            for n in numbers:
                row: dict[str, Any] = {"experiment": experiment, "scores": name, "parts": n}
                rng = np.random.default_rng((n, *map(ord, experiment + name)))
                try:
                    draws = np.array([station(name, n, rng, **options) for _ in range(stations)])
                    yield row | {"stations": stations} | summary(draws)
                except DatasetError as error:
                    yield row | {"refused": str(error)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "false_alarms.json")
    rows = []
    out = parser.parse_args().out
    for row in measure():
        rows.append(row)
        print(row, flush=True)
    write_text(out, "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")


if __name__ == "__main__":
    main()

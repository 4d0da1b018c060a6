"""Intervals and paired tests of the comparison: by resampling captures and seeds.

One resample of a class draws its good and its defective captures apart, with replacement, and the seeds of every method
likewise. All methods of a class see the same captures, and methods with the same seeds the same seeds, so a difference
is paired; classes are drawn apart. Two limits: one seed shows nothing of what another would have given (the interval is
then over captures alone), and three seeds show too little of it (by about a fifth).

Knows neither methods nor files: labels and scores in, numbers out.
"""

import zlib
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np

from afrd.evaluation.metrics import CONFIDENCE, RESAMPLES

TEST_RESAMPLES = 20_000
"""Of paired tests: p is at least 2 / (resamples + 1), which a correction for a hundred tests must leave below 0.05."""

_TAIL = (1 - CONFIDENCE) / 2
_CHUNK = 2**24  # numbers held at once while resampling
_K = TypeVar("_K", bound=Hashable)


class Runs(NamedTuple):
    """Scores of one method on the captures of a class. seeds: of its runs.  scores: [seeds, K], higher is worse."""

    seeds: tuple[int, ...]
    scores: np.ndarray


@dataclass(frozen=True)
class Area:
    """I-AUROC or a rate, mean over seeds.

    resampled: [R], the same captures in every resample; None where a kind has one capture.
    """

    value: float
    resampled: np.ndarray | None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Ends of the 95 % interval."""
        return None if self.resampled is None else _quantiles(self.resampled)


@dataclass(frozen=True)
class Difference:
    """One figure minus another; p is two-sided against no difference. Without interval where Area has none."""

    value: float
    interval: tuple[float, float] | None
    p: float | None


def areas(
    name: str, labels: np.ndarray, runs: Mapping[_K, Runs], *, resamples: int = RESAMPLES, seed: int = 0
) -> dict[_K, Area]:
    """I-AUROC of several methods on one class, resampled together.

    name: of the class; with `seed` it fixes the draws, whatever other classes there are.
    labels: [K] bool, True for defective; both kinds must be there. Raises ValueError: they are not, or a score is NaN.
    """
    labels = np.asarray(labels, dtype=bool)
    n_bad, n_good = int(labels.sum()), int((~labels).sum())
    if not n_bad or not n_good:
        raise ValueError(f"{name}: {n_good} good and {n_bad} defective captures; I-AUROC needs both")
    if not runs:
        return {}
    bad, good, shares = _draws(name, labels, runs, resamples, seed)
    wins = _wins(labels, np.concatenate([run.scores for run in runs.values()]))  # [all runs, bad, good]
    whole = wins.mean(axis=(1, 2), dtype=np.float64)
    enough = min(n_bad, n_good) > 1
    drawn = _resampled(wins, bad, good) if enough else None
    found, start = {}, 0
    for key, run in runs.items():
        part = slice(start, start := start + len(run.seeds))
        resampled = None if drawn is None else (drawn[:, part] * shares[run.seeds]).sum(axis=1)
        found[key] = Area(float(whole[part].mean()), resampled)
    return found


def false_alarm_rates(
    name: str, labels: np.ndarray, runs: Mapping[_K, Runs], *, resamples: int = RESAMPLES, seed: int = 0
) -> dict[_K, Area]:
    """Share of good captures called anomalous, of several methods on one class, resampled as `areas` resamples.

    runs: with verdicts in place of scores, 1 for anomalous. labels: as of `areas`; there must be a good capture.
    """
    labels = np.asarray(labels, dtype=bool)
    _, good, shares = _draws(name, labels, runs, resamples, seed)
    found = {}
    for key, run in runs.items():
        alarms = np.asarray(run.scores, dtype=np.float64)[:, ~labels]
        resampled = ((good @ alarms.T) * shares[run.seeds]).sum(axis=1) / alarms.shape[1]
        found[key] = Area(float(alarms.mean()), resampled if alarms.shape[1] > 1 else None)
    return found


def change(after: Area, before: Area) -> Area:
    """after minus before, of figures that were resampled together."""
    known = after.resampled is not None and before.resampled is not None
    return Area(after.value - before.value, after.resampled - before.resampled if known else None)


def average(classes: Sequence[Area]) -> Area:
    """Mean over classes, or other figures, each weighing the same."""
    resampled = [area.resampled for area in classes]
    together = None if any(r is None for r in resampled) else np.mean(resampled, axis=0)
    return Area(float(np.mean([area.value for area in classes])), together)


def difference(a: Area, b: Area) -> Difference:
    """a minus b, of areas that were resampled together; p is twice the share of resamples on the far side of zero."""
    if a.resampled is None or b.resampled is None:
        return Difference(a.value - b.value, None, None)
    differences = a.resampled - b.resampled
    differences[np.abs(differences) < 1e-9] = 0.0
    tail = min((differences <= 0).sum(), (differences >= 0).sum())
    p = min(1.0, 2 * (int(tail) + 1) / (len(differences) + 1))
    return Difference(a.value - b.value, _quantiles(differences), p)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for their number (Holm 1979): the chance of one false claim in the family stays below them."""
    order = np.argsort(p_values, kind="stable")
    n = len(order)
    stepped = np.asarray(p_values, dtype=float)[order] * (n - np.arange(n))
    corrected = np.empty(n)
    corrected[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return corrected.tolist()


class Mean(NamedTuple):
    """A mean with the ends of its 95 % interval, None where unknown."""

    value: float
    interval: tuple[float, float] | None


def over_seeds(values: Sequence[float], intervals: Sequence[tuple[float, float] | None]) -> Mean:
    """Mean of the runs of one method on one class, from their intervals over captures alone.

    For metrics whose scores per capture are not at hand. All runs saw the same captures, so what those leave open does
    not shrink with the runs; what the seeds leave open, 1.96 standard errors, is added in quadrature, on either side.
    """
    value = float(np.mean(values))
    if any(interval is None for interval in intervals):
        return Mean(value, None)
    sides = np.abs(np.array(intervals) - np.array(values)[:, None]).mean(axis=0)  # [2], below and above
    seeds = 1.96 * np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    below, above = np.hypot(sides, seeds).tolist()
    return Mean(value, (max(0.0, value - below), min(1.0, value + above)))


def over_classes(means: Sequence[Mean]) -> Mean:
    """Mean over classes, which are independent: their half-widths in quadrature, either side apart."""
    value = float(np.mean([mean.value for mean in means]))
    if any(mean.interval is None for mean in means):
        return Mean(value, None)
    sides = np.abs([np.array(mean.interval) - mean.value for mean in means])
    below, above = (np.sqrt((sides**2).sum(axis=0)) / len(means)).tolist()
    return Mean(value, (max(0.0, value - below), min(1.0, value + above)))


def _draws(name: str, labels: np.ndarray, runs: Mapping, resamples: int, seed: int) -> tuple:
    """How often each defective and each good capture is drawn, [R, n] each; the shares of the seeds in each set."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    bad, good = (
        rng.multinomial(n, np.full(n, 1 / n), size=resamples).astype(np.float32) if n else np.empty((resamples, 0))
        for n in (int(labels.sum()), int((~labels).sum()))
    )
    # In the order of the seeds, so that a method more does not change the draws of the others' seeds more than it must.
    shares = {
        seeds: rng.multinomial(len(seeds), np.full(len(seeds), 1 / len(seeds)), size=resamples) / len(seeds)
        for seeds in sorted({run.seeds for run in runs.values()})
    }
    return bad, good, shares


def _wins(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """[M, bad, good] of [M, K] scores: 1 where the defective capture scores higher, 0.5 where they tie."""
    if np.isnan(scores).any():
        raise ValueError("a score is NaN")
    bad, good = scores[:, labels, None], scores[:, None, ~labels]
    return ((bad > good) + 0.5 * (bad == good)).astype(np.float32)


def _resampled(wins: np.ndarray, bad: np.ndarray, good: np.ndarray) -> np.ndarray:
    """[R, M] I-AUROC. Sums of halves below 2²³ are exact in float32."""
    m, n_bad, n_good = wins.shape
    step = max(1, _CHUNK // (len(bad) * n_good))
    sums = np.empty((len(bad), m), dtype=np.float64)
    for start in range(0, m, step):
        part = wins[start : start + step]
        columns = part.transpose(1, 0, 2).reshape(n_bad, -1)
        rows = (bad @ columns).reshape(len(bad), len(part), n_good)
        sums[:, start : start + step] = np.matmul(rows, good[:, :, None])[:, :, 0]
    return sums / (n_bad * n_good)


def _quantiles(values: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(values, [_TAIL, 1 - _TAIL])
    return float(low), float(high)

"""The tail of held-out scores, for false-alarm rates lower than their number can promise by itself.

Above a high quantile scores of almost any distribution are nearly generalised Pareto distributed (Pickands 1975), so
that a few excesses tell how the tail goes on where nothing was observed. That is an assumption and an extrapolation;
conformal thresholds need neither. What the few excesses leave open is kept: the parameters are not estimated but
weighed by their likelihood, and the threshold is the one whose rate, averaged over all of them, is the stated one.
"""

import math

import numpy as np
from scipy.optimize import brentq
from scipy.special import betaincinv
from scipy.stats import genpareto

from afrd.errors import DatasetError
from afrd.training.threshold import CONFIDENCE

MIN_EXCESSES = 10
MIN_PARTS = 2 * MIN_EXCESSES
SHAPES = np.linspace(-0.6, 1.0, 41)
SHAPE_SPREAD = 0.25  # standard deviation of the shapes that are expected; 0 is the exponential tail
SCALES = np.exp(np.linspace(-2, 2, 41))  # in units of the mean excess
SHARES = (np.arange(16) + 0.5) / 16  # quantiles by which the share of parts beyond the high quantile stands


class Tail:
    """Generalised Pareto tails over the high quantile, each with its weight.

    start: the high quantile. parts, excesses: how many scores it was learned from, and how many of them lie above.
    """

    def __init__(self, scores: np.ndarray) -> None:
        """scores: [n], one a part. Raises DatasetError: fewer than MIN_PARTS; the highest are all the same."""
        self.parts = len(scores)
        require_parts(self.parts)
        self.excesses = max(MIN_EXCESSES, round(2 * math.sqrt(self.parts)))
        ordered = np.sort(scores)
        self.start = float(ordered[-self.excesses - 1])
        above = ordered[-self.excesses :] - self.start
        if not above.mean() > 0:
            raise DatasetError(
                f"the {self.excesses} highest of {self.parts} held-out scores are all {self.start:.4g}: they show no "
                f"tail; train with --tail conformal"
            )
        shapes, scales = np.meshgrid(SHAPES, SCALES * above.mean(), indexing="ij")
        likelihood = genpareto.logpdf(above, shapes[..., None], scale=scales[..., None]).sum(-1)
        weight = np.exp(likelihood - likelihood.max() - 0.5 * (shapes / SHAPE_SPREAD) ** 2)
        kept = weight > 1e-6 * weight.max()
        self._shapes, self._scales = shapes[kept], scales[kept]
        self._weights = weight[kept] / weight[kept].sum()
        # the share of parts beyond the k-th smallest score is Beta distributed, whatever the scores are
        self._shares = betaincinv(self.excesses + 1, self.parts - self.excesses, SHARES)

    def threshold(self, false_alarm_rate: float) -> float:
        """The score whose `rate` this is. Lower rates than that of the high quantile only: at most 1 / (n + 1)."""

        def missing(excess: float) -> float:
            return self.rate(self.start + excess) - false_alarm_rate

        far = float(self._scales.max())
        while missing(far) > 0:
            far *= 2
        return self.start + brentq(missing, 0.0, far)

    def rate(self, score: float) -> float:
        """Probability that a new part scores higher, averaged over all tails. For scores above the high quantile."""
        share = (self.excesses + 1) / (self.parts + 1)
        return share * float(self._weights @ self._survival(score))

    def bound(self, score: float, confidence: float = CONFIDENCE) -> float:
        """What that probability is below with a confidence."""
        return self._quantiles(self._shares[:, None] * self._survival(score), (confidence,))[0]

    def interval(self, false_alarm_rate: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Between which scores the one lies that this share of good parts exceeds."""
        beyond = np.minimum(false_alarm_rate / self._shares[:, None], 1)
        scores = self.start + genpareto.isf(beyond, self._shapes, scale=self._scales)
        low, high = self._quantiles(scores, ((1 - confidence) / 2, (1 + confidence) / 2))
        return low, high

    def _survival(self, score: float) -> np.ndarray:
        return genpareto.sf(score - self.start, self._shapes, scale=self._scales)

    def _quantiles(self, values: np.ndarray, levels: tuple[float, ...]) -> list[float]:
        """values: [shares, tails]."""
        order = np.argsort(values, axis=None)
        reached = np.cumsum(np.broadcast_to(self._weights, values.shape).ravel()[order]) / len(self._shares)
        return [float(values.ravel()[order[min(np.searchsorted(reached, q), len(order) - 1)]]) for q in levels]


def require_parts(parts: int) -> None:
    """Raises DatasetError: too few held-out parts for a tail."""
    if parts < MIN_PARTS:
        raise DatasetError(
            f"{parts} held-out good parts; --tail gpd takes at least {MIN_PARTS}, and some 60 for a threshold that is "
            f"not far too high: hold out {MIN_PARTS - parts} more, or train with --tail conformal"
        )

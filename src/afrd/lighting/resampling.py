"""I-AUROC of many sets of scores on the same parts, and on resamples of the parts.

Captures of one part, as it is and painted, are drawn together. Knows no lights.
"""

from collections.abc import Sequence

import numpy as np

RESAMPLES = 500


class Resampled:
    """labels: [K], True for defective; groups: [K], the part each shows; both kinds must be there.

    Parts that have good and defective captures are drawn by themselves, and those that have one kind only, so that a
    resample has both. counts: [R, K], how often each capture is in each resample.
    """

    def __init__(
        self, labels: Sequence[bool], groups: Sequence[str], resamples: int = RESAMPLES, seed: int = 0
    ) -> None:
        self.labels = np.asarray(labels, bool)
        names, member = np.unique(np.asarray(groups), return_inverse=True)
        bad = np.bincount(member, self.labels, len(names)) > 0
        good = np.bincount(member, ~self.labels, len(names)) > 0
        kind = 2 * bad + good
        drawn = np.zeros((resamples, len(names)))
        rng = np.random.default_rng(seed)
        for each in np.unique(kind):
            n = int((kind == each).sum())
            drawn[:, kind == each] = rng.multinomial(n, np.full(n, 1 / n), size=resamples)
        self.counts = drawn[:, member]

    def value(self, scores: np.ndarray) -> float:
        """I-AUROC of scores [K] on all parts."""
        return float(_superiority(scores, self.labels).mean())

    def values(self, scores: np.ndarray, counts: np.ndarray | None = None) -> np.ndarray:
        """The same in each resample, [R]; counts: others than those drawn. NaN where a kind is missing."""
        counts = self.counts if counts is None else counts
        bad, good = counts[:, self.labels], counts[:, ~self.labels]
        pairs = bad.sum(1) * good.sum(1)
        with np.errstate(invalid="ignore"):
            return ((bad @ _superiority(scores, self.labels)) * good).sum(1) / np.where(pairs > 0, pairs, np.nan)

    @property
    def left_out(self) -> np.ndarray:
        """[R, K]: 1 for the captures that a resample has not."""
        return (self.counts == 0).astype(float)


def _superiority(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """[bad, good]: 1 where the defective capture scores higher, 0.5 where they tie."""
    bad, good = scores[labels][:, None], scores[~labels][None]
    return (bad > good) + 0.5 * (bad == good)

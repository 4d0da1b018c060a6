"""What each light of a rig looks like on good parts, and how far the lights of a capture are from that.

Arithmetic of `light_check` on arrays of 8 × 8 thumbnails; knows no faults and no limits.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from afrd.imaging.cells import weighted_median

SPREAD = 0.05  # least spread of a cell: 5 % of brightness, what a lamp may drift after training
KEPT = 0.75  # of the cells, the most ordinary ones, make a distance: a defect or a shifted shadow fills the others


@dataclass(frozen=True)
class LightSignatures:
    """means, spreads: [N, 64]; common: [64]; of log thumbnails [n, N, 64], which hold brightness + offset."""

    means: np.ndarray
    spreads: np.ndarray
    common: np.ndarray
    offset: float

    @classmethod
    def fit(cls, logs: np.ndarray, offset: float) -> Self:
        means = (logs - logs.mean(1, keepdims=True)).mean(0)
        for _ in range(2):  # the common part is a median, of which the means must be free
            means = means + np.median(_residuals(logs, means), 0)
        residuals = _residuals(logs, means)
        shape = residuals - np.median(residuals, 2, keepdims=True)
        spreads = np.sqrt((shape**2).mean(0) + SPREAD**2)
        return cls(means, spreads, np.median(logs - means, 1).mean(0), offset)

    def of(self, lights: list[int]) -> "LightSignatures":
        return LightSignatures(self.means[lights], self.spreads[lights], self.common, self.offset)

    def distances(self, logs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of each light from its look: of its shape, in spreads, and of its overall brightness, in logarithms; [n, N].

        In the shape a cell counts by how much the lights differ there: a small part on a backdrop that is the same
        under all of them is not outvoted by the backdrop.
        """
        residuals = _residuals(logs, self.means)
        gain = weighted_median(residuals, self._lit())
        telling = np.clip(self.means.std(0) / self.spreads, 0.25, 4)
        return _trimmed_mean(np.abs(residuals - gain[..., None]) / self.spreads, telling), np.abs(gain)

    def levels(self, logs: np.ndarray) -> np.ndarray:
        """Overall log brightness of each light, relative to training's mean; [n, N]."""
        return weighted_median(logs - self.means - self.common, self._lit())

    def similarity(self, logs: np.ndarray) -> np.ndarray:
        """[n, N, N]: 1 where light i of a capture looks like light i of training, -1 where it looks like light j.

        Each cell has a bounded say, of the size of the difference of the two signatures there. Where these differ
        by less than half a spread, and so less than lamps drift, the answer shrinks to 0.
        """
        alone = logs - np.median(logs - self.means, 1, keepdims=True)
        from_own = (alone - self.means)[:, :, None]  # [n, N, 1, 64]
        from_other = alone[:, :, None] - self.means  # [n, N, N, 64]
        between = self.means[:, None] - self.means
        least = 0.5
        if len(self.means) == 2:
            # the drift of one is the other's too, with the opposite sign: brightness says nothing, only shape does
            from_own, from_other, between = (
                values - np.median(values, -1, keepdims=True) for values in (from_own, from_other, between)
            )
            least = 1.0
        spreads = np.sqrt((self.spreads[:, None] ** 2 + self.spreads**2) / 2)
        bound = np.minimum(np.abs(between) / spreads, 4)
        say = np.clip((np.abs(from_other) - np.abs(from_own)) / spreads, -bound, bound)
        own = np.eye(len(self.means), dtype=bool)
        return np.where(own, 1, say.mean(-1) / np.maximum(bound.mean(-1), least))

    def _lit(self) -> np.ndarray:
        """How much a cell tells of a light's power: nothing where good parts are black under it."""
        return np.maximum(1 - self.offset / np.exp(self.common + self.means), 1e-3) / self.spreads


def _residuals(logs: np.ndarray, means: np.ndarray) -> np.ndarray:
    """What is left of [n, N, 64] without the means and what the lights have in common: the part."""
    rest = logs - means
    return rest - np.median(rest, 1, keepdims=True)


def _trimmed_mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted mean over the cells of [n, N, 64], without the largest values, a quarter of all weight."""
    order = values.argsort(-1)
    values = np.take_along_axis(values, order, -1)
    weights = np.take_along_axis(np.broadcast_to(weights, values.shape), order, -1)
    before = weights.cumsum(-1) - weights
    kept = np.clip(KEPT * weights.sum(-1, keepdims=True) - before, 0, weights)
    return (kept * values).sum(-1) / kept.sum(-1)

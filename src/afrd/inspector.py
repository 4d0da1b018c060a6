"""From a capture to a verdict."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Inspection:
    """The answer for one capture.

    id: the capture's.
    score: how anomalous, the maximum (or top-share mean) of the map; 0 is a perfect reproduction.
    threshold: the score above which a part is called anomalous, from held-out good parts.
    anomaly_map: [H, W] float32, at the capture's own size; same unit as the score.
    light_weights: [L, N] float32, weight of each of the N lights on each of the L feature levels (shallow first),
        rows sum to 1.
    """

    id: str
    score: float
    threshold: float
    anomaly_map: np.ndarray
    light_weights: np.ndarray

    @property
    def anomalous(self) -> bool:
        """The verdict: True is not good."""
        return self.score > self.threshold

"""Late fusion: the maps of one Reverse Distillation model a light become one map. Nothing is trained.

The score is the maximum of the fused map, as everywhere.
"""

import numpy as np

from afrd.comparison.job import Scored


def mean(holdout: np.ndarray, test: np.ndarray) -> Scored:
    """holdout: [N, V, S, S] and test: [N, K, S, S] maps of N lights. The mean of the lights' maps."""
    return _scored(holdout.mean(axis=0), test.mean(axis=0))


def normalised_maximum(holdout: np.ndarray, test: np.ndarray) -> Scored:
    """The same, but the maximum over lights of maps standardised by each light's held-out good maps."""
    centre, spread = holdout.mean(axis=(1, 2, 3), keepdims=True), holdout.std(axis=(1, 2, 3), keepdims=True)
    return _scored(*(((maps - centre) / spread).max(axis=0) for maps in (holdout, test)))


def _scored(holdout: np.ndarray, test: np.ndarray) -> Scored:
    return Scored(holdout.max(axis=(1, 2)), test.max(axis=(1, 2)), holdout, test)

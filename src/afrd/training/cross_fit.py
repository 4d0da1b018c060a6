"""Cross-fitting: every good capture serves both the fit and the threshold.

The parts are divided into folds. Each fold is scored by a model that was fitted without it; from all these scores the
threshold of the model that is fitted to everything follows. What that promises:

- The scores are those of parts that the scoring model has not seen, by models that have seen a fold less than the one
  they stand for. Where a fold less changes scores little, the rate is as stated, and the bound that of all n parts.
- Without that assumption nothing is guaranteed. The distribution-free form, CV+ (Barber et al. 2021), asks every
  fold's model about every new part, and then promises twice the stated rate; that costs as many inspections as folds.
- Models with fewer parts score new parts somewhat higher, so the error is mostly towards fewer alarms.

How near the rates come is measured in docs/thresholds.md.
"""

from collections.abc import Callable, Hashable, Sequence

import numpy as np

from afrd.errors import DatasetError

FOLDS = 10

Scorer = Callable[[np.ndarray], Sequence[float] | np.ndarray]
"""Indices [m] of captures to their scores, [m] or [m, …]: of each light left out, of disturbed copies."""


def assign_folds(groups: Sequence[Hashable], folds: int = FOLDS, seed: int = 0) -> np.ndarray:
    """The fold of each capture, [n]: a part is in one fold with all its captures, folds have equally many parts.

    groups: the part that each capture shows. With fewer parts than folds each part is a fold.
    Raises DatasetError: a single part, or none.
    """
    parts = list(dict.fromkeys(groups))
    if len(parts) < 2:
        raise DatasetError(f"{len(parts)} good parts; cross-fitting takes at least 2, and some 20 for good results")
    order = np.random.default_rng(seed).permutation(len(parts))
    fold = {parts[part]: place % min(folds, len(parts)) for place, part in enumerate(order)}
    return np.array([fold[group] for group in groups])


def cross_fit(
    groups: Sequence[Hashable],
    fit_without: Callable[[np.ndarray], Scorer],
    folds: int = FOLDS,
    seed: int = 0,
) -> np.ndarray:
    """Scores of all captures, [n] or [n, …], in their order, each by a model that has not seen the capture's part.

    groups: the part that each capture shows, for the threshold as well.
    fit_without: from the indices of a fold to the scorer of a model without them. Raises DatasetError: a single part.
    """
    of_capture = assign_folds(groups, folds, seed)
    scored: list[np.ndarray] = []
    members = [np.flatnonzero(of_capture == fold) for fold in range(of_capture.max() + 1)]
    for fold in members:
        scored.append(np.asarray(fit_without(fold)(fold), dtype=np.float64))
    return np.concatenate(scored)[np.argsort(np.concatenate(members))]

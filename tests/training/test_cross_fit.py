import numpy as np
import pytest
import torch

from afrd.errors import DatasetError
from afrd.model.moments import Moments
from afrd.training.cross_fit import assign_folds, cross_fit


def test_a_part_is_in_one_fold_and_folds_are_alike():
    groups = [f"part{i % 7}" for i in range(20)]
    folds = assign_folds(groups, 3)
    of_part = {group: {fold for g, fold in zip(groups, folds, strict=True) if g == group} for group in groups}
    assert all(len(own) == 1 for own in of_part.values())
    assert sorted([own for (own,) in of_part.values()]) == [0, 0, 0, 1, 1, 2, 2]
    assert (assign_folds(groups, 3) == folds).all()
    assert (assign_folds(groups, 3, seed=1) != folds).any()
    assert set(assign_folds(groups, 50)) == set(range(7))  # each part is a fold
    with pytest.raises(DatasetError, match="1 good parts; cross-fitting takes at least 2"):
        assign_folds(["a", "a"])


def test_every_score_is_of_a_model_fitted_without_the_part():
    """Leaving one out, by moments: the squared distance to the mean and variance of the others, by hand."""
    values = torch.tensor([[1.0], [4.0], [2.0], [8.0], [5.0]], dtype=torch.float64)
    each = [Moments(1).add(value[None]) for value in values]
    total = sum(each, Moments(1))

    def fit_without(fold):
        left = total - each[fold[0]]
        return lambda members: ((values[members] - left.mean()) ** 2 / left.covariance())[:, 0]

    scores = cross_fit("abcde", fit_without, folds=5)
    others = [np.delete(values.numpy().ravel(), i) for i in range(5)]
    by_hand = [(v - o.mean()) ** 2 / o.var(ddof=1) for v, o in zip(values.numpy().ravel(), others, strict=True)]
    np.testing.assert_allclose(scores, by_hand)


def test_what_a_capture_has_several_scores_of_stays_together():
    groups = ["a", "b", "a", "c", "d", "c"]
    seen = []

    def fit_without(fold):
        seen.append({groups[i] for i in fold})
        return lambda members: np.stack([members, 10 * members], 1)

    np.testing.assert_array_equal(cross_fit(groups, fit_without, folds=2), [[i, 10 * i] for i in range(6)])
    assert set.union(*seen) == set("abcd") and not set.intersection(*seen)

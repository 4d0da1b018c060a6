import numpy as np
import pytest
import torch

from afrd.errors import ModelError
from afrd.model.moments import Moments


def vectors(count: int, seed: int = 0) -> torch.Tensor:
    """[count, 7] float64, correlated, far from zero."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(7, 7, generator=generator, dtype=torch.float64)
    return torch.randn(count, 7, generator=generator, dtype=torch.float64) @ mixing + 1e3


def test_batches_added_are_what_numpy_says_of_all():
    every = vectors(500)
    moments = Moments(7)
    for batch in every.split([3, 1, 200, 0, 296]):
        moments.add(batch)
    assert moments.count == 500
    np.testing.assert_allclose(moments.mean(), every.numpy().mean(0), rtol=1e-12)
    np.testing.assert_allclose(moments.covariance(), np.cov(every.numpy(), rowvar=False), rtol=1e-9)


def test_all_less_a_fold_is_fitted_without_the_fold():
    folds = [vectors(40 + 30 * k, seed=k) + k for k in range(4)]
    each = [Moments(7).add(fold) for fold in folds]
    total = each[0] + each[1] + each[2] + each[3]
    for k, fold in enumerate(each):
        without = Moments(7).add(torch.cat([other for i, other in enumerate(folds) if i != k]))
        left = total - fold
        assert left.count == without.count
        np.testing.assert_allclose(left.mean(), without.mean(), rtol=1e-12)
        np.testing.assert_allclose(left.covariance(), without.covariance(), rtol=1e-9)
    assert total.count == sum(map(len, folds))  # the operands stay what they were
    np.testing.assert_allclose(total.mean(), torch.cat(folds).mean(0), rtol=1e-12)


def test_single_precision_far_from_zero_loses_nothing_that_matters():
    every = vectors(4000).float()
    exact = np.cov(every.double().numpy(), rowvar=False)
    halves = [Moments(7).add(half) for half in every.split(2000)]
    np.testing.assert_allclose((halves[0] + halves[1]).covariance(), exact, rtol=1e-4, atol=1e-4)
    left = halves[0] + halves[1] - halves[0]
    np.testing.assert_allclose(left.covariance(), np.cov(every[2000:].double().numpy(), rowvar=False), atol=1e-4)
    naive = every.T @ every / 4000 - every.mean(0)[:, None] * every.mean(0)
    assert np.abs(naive.numpy() - exact).max() > 0.01  # what centring is for


def test_nothing_left_is_empty_and_what_was_not_there_is_not_taken():
    moments = Moments(7).add(vectors(5))
    assert (moments - moments).count == 0
    assert (Moments(7) + moments).count == 5
    with pytest.raises(ModelError, match="no mean"):
        (moments - moments).mean()
    with pytest.raises(ModelError, match="at least 2"):
        Moments(7).add(vectors(1)).covariance()
    with pytest.raises(ModelError, match="6 vectors taken from those of 5"):
        moments - Moments(7).add(vectors(6))
    with pytest.raises(ModelError, match="3 and of 7"):
        moments + Moments(3)

import numpy as np
import pytest
from scipy import stats

from afrd.errors import DatasetError
from afrd.training.tail import Tail


@pytest.mark.parametrize("scores", [stats.norm(), stats.lognorm(0.5), stats.gamma(2), stats.t(5)])
def test_the_rate_and_its_bound_and_the_interval_are_kept(scores):
    """Over many stations; nothing here has chosen the prior or the number of excesses."""
    rng = np.random.default_rng(0)
    true, within, inside = [], [], []
    for _ in range(40):
        tail = Tail(scores.rvs(100, random_state=rng))
        value = tail.threshold(0.002)
        true.append(scores.sf(value))
        within.append(true[-1] <= tail.bound(value))
        low, high = tail.interval(0.002)
        inside.append(low <= scores.isf(0.002) <= high)
    error = np.std(true) / 40**0.5
    assert 0.0003 < np.mean(true) <= 0.002 + 3 * error
    assert np.mean(within) >= 0.75  # 0.9 is stated; three standard errors are 0.15
    assert np.mean(inside) >= 0.75


def test_an_exponential_tail_goes_on_as_it_should():
    scores = stats.expon.isf((np.arange(2000) + 0.5) / 2000)
    tail = Tail(scores)
    assert tail.threshold(1e-4) == pytest.approx(-np.log(1e-4), rel=0.12)
    assert tail.rate(tail.threshold(1e-4)) == pytest.approx(1e-4)
    assert tail.rate(np.log(100)) == pytest.approx(0.01, rel=0.1)  # where much was observed
    assert 1e-4 < tail.bound(tail.threshold(1e-4)) < 5e-4
    low, high = tail.interval(1e-4)
    assert low < -np.log(1e-4) < high


def test_more_parts_leave_less_open():
    rng = np.random.default_rng(1)
    widths = [np.subtract(*Tail(rng.gamma(2, size=n)).interval(0.001)[::-1]) for n in (20, 100, 2000)]
    assert widths[0] > widths[1] > widths[2]


def test_what_shows_no_tail():
    with pytest.raises(DatasetError, match=r"19 held-out good parts; --tail gpd takes at least 20.*hold out 1 more"):
        Tail(np.arange(19.0))
    with pytest.raises(DatasetError, match=r"the 10 highest of 25 held-out scores are all 1: .*--tail conformal"):
        Tail(np.ones(25))

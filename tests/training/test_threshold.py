import numpy as np
import pytest

from afrd.training.threshold import ROUNDING, reachable_rate, threshold


def test_by_hand():
    scores = list(range(1, 20))  # 19 scores
    above = 1 + ROUNDING
    assert threshold(scores, 0.05) == 19 * above  # ⌈20 · 0.95⌉ = 19th smallest
    assert threshold(scores, 0.1) == 18 * above
    assert threshold(scores, 0.5) == 10 * above
    assert threshold(scores[::-1], 0.1) == 18 * above
    assert threshold([3.0], 0.05) == 3.0 * above


def test_rate_that_few_captures_can_promise():
    assert reachable_rate(19, 0.05) == 0.05
    assert reachable_rate(9, 0.05) == pytest.approx(0.1)


@pytest.mark.parametrize(("n", "rate"), [(12, 0.1), (39, 0.05), (100, 0.2)])
def test_new_good_parts_are_called_anomalous_at_most_at_the_stated_rate(n, rate):
    """Over many stations: hold out n, then watch one more good part."""
    rng = np.random.default_rng(0)
    scores = rng.gamma(2, size=(20_000, n + 1))
    alarms = np.mean([row[-1] > threshold(row[:-1], rate) for row in scores])
    assert alarms <= reachable_rate(n, rate) + 3 * np.sqrt(rate / 20_000)
    assert alarms > reachable_rate(n, rate) - 1.5 / (n + 1)  # and not by never raising one

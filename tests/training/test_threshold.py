import numpy as np
import pytest
from scipy.stats import beta

from afrd.training.threshold import (
    ROUNDING,
    bound_with_above,
    false_alarm_bound,
    parts_needed,
    reachable_rate,
    threshold,
)


def test_by_hand():
    scores = list(range(1, 20))  # 19 scores
    above = 1 + ROUNDING
    assert threshold(scores, 0.05) == 19 * above  # ⌈20 · 0.95⌉ = 19th smallest
    assert threshold(scores, 0.1) == 18 * above
    assert threshold(scores, 0.5) == 10 * above
    assert threshold(scores[::-1], 0.1) == 18 * above
    assert threshold([3.0], 0.05) == 3.0 * above
    assert threshold([-5.0, -4.0, -3.0], 0.25) == -3 * (1 - ROUNDING)  # above the score, whatever its sign


def test_parts_by_hand():
    scores = [1.0, 2.0, 3.0, 4.0, 10.0, 20.0, 30.0, 40.0, 50.0, 5.0]
    groups = ["a", "a", "b", "b", "c", "c", "c", "c", "c", "d"]  # 4 parts
    above = 1 + ROUNDING
    assert threshold(scores, 0.2, groups) == 50 * above  # 5 · 0.2 - 1 = 0 parts may lie above
    assert threshold(scores, 0.3, groups) == 30 * above  # half a part: 40 and 50 are 2/5 of c
    assert threshold(scores, 0.4, groups) == 5 * above  # one part: all of c, but not d
    assert threshold(scores, 0.2, groups, "worst") == 50 * above
    assert threshold(scores, 0.4, groups, "worst") == 5 * above  # the second largest of 2, 4, 50, 5
    shuffled = np.random.default_rng(0).permutation(10)
    mixed = [scores[i] for i in shuffled], [groups[i] for i in shuffled]
    assert threshold(mixed[0], 0.3, mixed[1]) == 30 * above


def test_rate_that_few_captures_can_promise():
    assert reachable_rate(19, 0.05) == 0.05
    assert reachable_rate(9, 0.05) == pytest.approx(0.1)


@pytest.mark.parametrize(("scores", "groups", "says"), [
    ([], None, "no held-out scores"),
    ([1.0, np.nan], None, "not finite"),
    ([1.0, 2.0], ["a"], "1 groups for 2 scores"),
])  # fmt: skip
def test_scores_that_make_no_threshold(scores, groups, says):
    with pytest.raises(ValueError, match=says):
        threshold(scores, 0.1, groups)


@pytest.mark.parametrize(("n", "rate"), [(12, 0.1), (39, 0.05), (100, 0.2)])
def test_new_good_parts_are_called_anomalous_at_most_at_the_stated_rate(n, rate):
    """Over many stations: hold out n, then watch one more good part."""
    rng = np.random.default_rng(0)
    scores = rng.gamma(2, size=(20_000, n + 1))
    alarms = np.mean([row[-1] > threshold(row[:-1], rate) for row in scores])
    assert alarms <= reachable_rate(n, rate) + 3 * np.sqrt(rate / 20_000)
    assert alarms > reachable_rate(n, rate) - 1.5 / (n + 1)  # and not by never raising one


@pytest.mark.parametrize(("n", "rate"), [(6, 0.05), (12, 0.1), (19, 0.05), (60, 0.05)])
def test_the_bound_is_kept_by_nine_stations_of_ten(n, rate):
    """The scores are uniform, so a station's true rate is what its threshold leaves of 1."""
    scores = np.random.default_rng(1).random((20_000, n))
    rates = 1 - np.array([threshold(row, rate) for row in scores]) / (1 + ROUNDING)
    assert np.mean(rates <= false_alarm_bound(n, rate)) == pytest.approx(0.9, abs=0.007)  # three standard errors
    assert np.mean(rates <= false_alarm_bound(n, rate, confidence=0.5)) == pytest.approx(0.5, abs=0.011)


def test_the_bound_against_the_textbook():
    assert false_alarm_bound(19, 0.05) == pytest.approx(1 - 0.1 ** (1 / 19))  # all 19 below: p¹⁹ = 0.1
    assert false_alarm_bound(60, 0.05) == pytest.approx(beta.ppf(0.9, 3, 58))  # the 58th of 60
    assert bound_with_above(10, 10) == bound_with_above(10, 12) == 1


@pytest.mark.parametrize(("n", "copies", "rate"), [(20, 4, 0.05), (60, 6, 0.05), (30, 3, 0.2)])
@pytest.mark.parametrize("alike", [0.2, 0.9])
def test_parts_with_several_captures_keep_the_rate_and_the_bound(n, copies, rate, alike):
    """A capture's score: what is its part's, and its own. The true rate is over parts and captures: normal."""
    from scipy.stats import norm

    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(n), copies)
    rates = []
    for _ in range(2000):
        scores = alike**0.5 * rng.standard_normal((n, 1)) + (1 - alike) ** 0.5 * rng.standard_normal((n, copies))
        rates.append(norm.sf(threshold(scores.ravel(), rate, groups)))
    assert np.mean(rates) <= rate + 3 * np.std(rates) / 2000**0.5
    assert np.mean(rates) > rate - 1.5 / (n + 1)
    assert np.mean(np.array(rates) <= false_alarm_bound(n, rate, several=True)) >= 0.88
    assert false_alarm_bound(n, rate) <= false_alarm_bound(n, rate, several=True) <= 1


def test_by_the_worst_capture_no_capture_of_a_new_part_raises_an_alarm():
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(40), 5)
    alarms = []
    for _ in range(2000):
        scores = rng.standard_normal((41, 1)) + rng.standard_normal((41, 5))
        limit = threshold(scores[:-1].ravel(), 0.1, groups, "worst")
        alarms.append((scores[-1] > limit).any())
    assert 0.05 < np.mean(alarms) <= 0.1 + 3 * (0.09 / 2000) ** 0.5


def test_how_many_parts_a_rate_takes():
    assert [parts_needed(rate) for rate in (0.1, 0.05, 0.01, 0.001)] == [9, 19, 99, 999]
    assert [parts_needed(rate, 0.9) for rate in (0.1, 0.05, 0.001)] == [22, 45, 2302]
    for rate in (0.07, 0.003):
        n, sure = parts_needed(rate), parts_needed(rate, 0.9)
        assert reachable_rate(n, rate) == rate < reachable_rate(n - 1, rate)
        assert false_alarm_bound(sure, 1 / (sure + 1)) <= rate < false_alarm_bound(sure - 1, 1 / sure)

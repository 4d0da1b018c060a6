import numpy as np
import pytest

from afrd.card import ModelCard
from afrd.errors import DatasetError
from afrd.training.false_alarms import advice, choose_threshold, confident_rate, require_enough, shortfall
from afrd.training.tail import Tail
from afrd.training.threshold import CONFIDENCE, ROUNDING, bound_with_above, false_alarm_bound, parts_needed, threshold


def test_conformal_is_the_order_statistic_and_its_bound():
    scores = np.random.default_rng(0).gamma(2, size=60)
    chosen = choose_threshold(scores, 0.05)
    assert chosen.value == threshold(scores, 0.05)
    assert (chosen.rate, chosen.bound, chosen.parts) == (0.05, false_alarm_bound(60, 0.05), 60)
    few = choose_threshold(scores[:6], 0.05)
    assert (few.value, few.rate, few.parts) == (scores[:6].max() * (1 + ROUNDING), 1 / 7, 6)
    assert few.bound == pytest.approx(1 - 0.1 ** (1 / 6))


def test_parts_are_counted_not_captures():
    scores = np.random.default_rng(0).gamma(2, size=60)
    chosen = choose_threshold(scores, 0.05, np.arange(60) // 6)
    assert (chosen.parts, chosen.rate) == (10, 1 / 11)
    worst = choose_threshold(scores, 0.2, np.arange(60) // 6, count="worst")
    assert worst.value == threshold(scores.reshape(10, 6).max(1), 0.2)


def test_the_tail_is_used_below_what_the_parts_promise_and_only_there():
    scores = np.random.default_rng(0).gamma(2, size=60)
    chosen = choose_threshold(scores, 0.001, tail="gpd")
    assert (chosen.tail, chosen.rate, chosen.value) == ("gpd", 0.001, Tail(scores).threshold(0.001))
    assert chosen.value > scores.max() and 0.001 < chosen.bound < 0.01
    assert chosen.interval == Tail(scores).interval(0.001)
    assert choose_threshold(scores, 0.05, tail="gpd") == choose_threshold(scores, 0.05)
    repeated = choose_threshold(np.repeat(scores, 3), 0.001, np.repeat(np.arange(60), 3), tail="gpd")
    assert repeated == chosen


def test_a_threshold_that_may_not_be_higher_promises_less():
    scores = np.arange(1.0, 61)
    capped = choose_threshold(scores, 0.05, highest=50.5)
    assert (capped.value, capped.rate) == (50.5, pytest.approx(11 / 61))
    assert capped.bound == bound_with_above(60, 10)
    assert choose_threshold(scores, 0.05, highest=70) == choose_threshold(scores, 0.05)
    open_ended = choose_threshold(scores, 0.001, tail="gpd")
    lower = choose_threshold(scores, 0.001, tail="gpd", highest=scores.max())
    assert lower.rate > open_ended.rate and lower.bound > open_ended.bound
    assert choose_threshold(scores, 0.001, tail="gpd", highest=20.5).rate == pytest.approx(41 / 61)


def test_how_many_more_parts_are_asked_for():
    scores = np.arange(1.0, 61)
    assert shortfall(choose_threshold(scores[:19], 0.05), 0.05) is None
    said = shortfall(choose_threshold(scores[:6], 0.05), 0.05)
    assert "6 held-out good parts can promise a false-alarm rate of 14 %, not 5 %" in said
    assert "Hold out 13 more" in said
    for capped in (
        choose_threshold(scores, 0.05, highest=50.5),
        choose_threshold(scores, 0.001, tail="gpd", highest=60),
    ):
        assert "the threshold cannot be above" in shortfall(capped, 0.05 if capped.tail == "conformal" else 0.001)
    require_enough(19, 0.05, "gpd")
    require_enough(20, 0.001, "gpd")
    require_enough(3, 0.001, "conformal")
    with pytest.raises(DatasetError, match="12 held-out good parts; --tail gpd takes at least 20"):
        require_enough(12, 0.001, "gpd")


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize(("parts", "wished"), [(45, 0.05), (60, 0.05), (2302, 0.001), (400, 0.1)])
def test_the_rate_to_state_holds_the_wished_one_with_confidence(parts, wished, several):
    rate = confident_rate(parts, wished, several=several)
    assert false_alarm_bound(parts, rate, several=several) <= wished
    scores = np.random.default_rng(0).random(parts)
    assert choose_threshold(scores, rate).bound <= wished
    with pytest.raises(ValueError, match="hold no rate"):
        confident_rate(10, 0.05)


@pytest.mark.parametrize("wished", [0.005, 0.02, 0.025, 0.033, 0.05, 0.07, 0.3])
def test_there_is_always_a_rate_to_state_which_reads_as_printed_and_promises_what_it_should(wished):
    needed = parts_needed(wished, CONFIDENCE)
    for parts in (needed, needed + 1, 2 * needed):
        for several in (False, True):
            rate = float(f"{confident_rate(parts, wished, several=several):g}")
            assert rate >= 1 / (parts + 1)
            assert false_alarm_bound(parts, rate, several=several) <= wished


def test_a_part_of_several_views_has_one_score():
    """So the rate to state is that of as many parts; of parts taken several times, each shot is judged for itself."""
    known = {"config": {"false_alarm_rate": 0.05}, "holdout": 180, "holdout_parts": 60, "false_alarm_bound": 0.09}
    shots, views = (ModelCard.model_construct(**known, views=views) for views in (None, ("side", "top")))
    assert advice(views)[0].endswith(f"--false-alarm-rate {confident_rate(60, 0.05):g}")
    assert advice(shots)[0].endswith(f"--false-alarm-rate {confident_rate(60, 0.05, several=True):g}")
    assert advice(views) != advice(shots)


def test_a_share_is_held_out_only_where_parts_are():
    few = choose_threshold(np.arange(1.0, 7), 0.05)
    assert shortfall(few, 0.05, in_folds=True).endswith("the threshold is their largest score. Add 13 more.")

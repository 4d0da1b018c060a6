"""What a card promises, from scores: with all lights and without each."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from afrd.capture import LightRig
from afrd.datasets import CaptureSet, Record
from afrd.families import HeldOutScores, TrainConfig
from afrd.training.promises import promises

GPD = TrainConfig(tail="gpd", false_alarm_rate=0.001)
SCORES = (1 + np.random.default_rng(0).gamma(2, size=20)).tolist()
SCORED = CaptureSet(Path(), None, None, LightRig(("a", "b")), [Record(str(i), (Path(),), False) for i in range(20)])


def test_the_tail_is_taken_where_parts_are_enough_without_a_light_too():
    lower = [score / 2 for score in SCORES]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = promises(HeldOutScores(SCORES, [lower, None]), SCORED, GPD, np.inf, None)
    assert (found["tail"], found["false_alarm_rate"], found["holdout_parts"]) == ("gpd", 0.001, 20)
    assert found["threshold"] > max(SCORES)
    assert found["thresholds_without"] == (pytest.approx(found["threshold"] / 2), None)


def test_a_doubtful_part_less_than_the_tail_takes_ends_no_training():
    with pytest.warns(UserWarning, match=r"19 held-out good parts; --tail gpd takes at least 20.*is conformal"):
        found = promises(HeldOutScores(SCORES), SCORED, GPD, np.inf, "3")
    assert (found["tail"], found["holdout_parts"], found["false_alarm_rate"]) == ("conformal", 19, 1 / 20)
    assert found["thresholds_without"] is None


def test_a_light_without_which_less_is_promised_is_named():
    high = [50.0] * 20
    with pytest.warns(UserWarning, match=r"without light b: 20 held-out good parts promise .* 100 %"):
        found = promises(HeldOutScores(SCORES, [SCORES, high]), SCORED, TrainConfig(), 50.0, None)
    assert found["thresholds_without"] == (found["threshold"], 0.99 * 50.0)


def test_there_are_two_thresholds_where_copies_were_checked_and_the_wider_is_never_below():
    for like, scores in (([1.0] * 20, SCORES), (SCORES, [score / 2 for score in SCORES])):
        found = promises(HeldOutScores(scores, like=like), SCORED, TrainConfig(), np.inf, None)
        assert found["threshold"] == promises(HeldOutScores(like), SCORED, TrainConfig(), np.inf, None)["threshold"]
        alone = promises(HeldOutScores(scores), SCORED, TrainConfig(), np.inf, None)
        assert found["threshold_unlike"] == max(found["threshold"], alone["threshold"])
        assert alone["threshold_unlike"] is None


def test_a_wider_threshold_that_promises_less_is_told():
    high = [50.0] * 20
    with pytest.warns(
        UserWarning, match=r"of captures that the rig check notes: 20 held-out good parts promise .* 100 %"
    ):
        found = promises(HeldOutScores(high, like=SCORES), SCORED, TrainConfig(), 50.0, None)
    assert found["threshold_unlike"] == 0.99 * 50.0

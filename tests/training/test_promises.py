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

"""Verdicts of a station from inspections, by hand."""

import numpy as np
import pytest

from afrd.imaging.coarse_map import CoarseMap
from afrd.inspection import Inspection
from afrd.station.judge import may_be_set, station_verdict
from afrd.station.statistics import Scored, false_alarms, histogram, what_if


def inspection(score: float, threshold: float = 1.0, judged: bool = True, may_be_good: bool = True) -> Inspection:
    """With a map and weights that no verdict looks at."""
    seen = CoarseMap(np.zeros((2, 2))), np.ones((1, 2))
    return Inspection("a", score, threshold, *seen, judged=judged, may_be_good=may_be_good)


@pytest.mark.parametrize(
    ("score", "threshold", "review", "verdict"),
    [
        (0.5, 1.0, None, "good"),
        (1.0, 1.0, None, "good"),
        (1.01, 1.0, None, "anomalous"),
        (0.91, 1.0, 0.9, "review"),
        (0.9, 1.0, 0.9, "good"),
        (1.5, 1.0, 0.9, "anomalous"),
        (1.5, 2.0, None, "good"),
        (1.9, 2.0, 0.9, "review"),
        (0.6, 0.5, 0.9, "anomalous"),
        (float("nan"), 1.0, 0.9, "anomalous"),
    ],
)
def test_verdicts(score, threshold, review, verdict):
    assert station_verdict(inspection(score), threshold, review) == verdict


@pytest.mark.parametrize(
    ("score", "judged", "may_be_good", "verdict"),
    [
        (0.5, True, True, "good"),
        (1.5, True, True, "good"),  # the station's threshold is 2
        (2.5, True, True, "anomalous"),
        (0.5, False, False, "light fault"),
        (1.5, True, False, "light fault"),  # anomalous by the model's threshold, and never good
        (2.5, True, False, "anomalous"),
        (2.5, False, False, "light fault"),
    ],
)
def test_no_threshold_lets_a_part_pass_that_may_not(score, judged, may_be_good, verdict):
    assert station_verdict(inspection(score, judged=judged, may_be_good=may_be_good), 2.0, None) == verdict


def test_another_threshold_over_parts_that_were_judged():
    parts = [
        Scored("a", 0.5, 1.0, "good", None, 0),
        Scored("b", 0.9, 1.0, "good", "good", 0),
        Scored("c", 1.1, 1.0, "anomalous", "good", 0),
        Scored("d", 1.3, 1.0, "anomalous", "defect", 0),
        Scored("e", 2.6, 2.0, "anomalous", "defect", 0),  # without one light its threshold is another
    ]
    change = what_if(parts, 1.0)
    assert (change.newly_stopped, change.newly_passed, change.good_stopped, change.defect_passed) == (0, 0, 1, 0)
    change = what_if(parts, 0.8)
    assert (change.newly_stopped, change.newly_passed, change.good_stopped, change.defect_passed) == (1, 0, 2, 0)
    change = what_if(parts, 1.35)
    assert (change.newly_stopped, change.newly_passed, change.good_stopped, change.defect_passed) == (0, 3, 0, 2)
    alarms, good, low, high = false_alarms(parts)
    assert (alarms, good) == (1, 2)
    assert low == pytest.approx(1 - 0.95**0.5)  # Clopper and Pearson, by hand: P(X ≥ 1 | low) = 0.05
    assert high == pytest.approx(0.95**0.5)
    assert false_alarms(parts[:1])[2:] == (0.0, 1.0)
    bins = histogram(parts, bins=4)
    assert bins == [(0.0, 0, 0, 0), (0.5, 1, 1, 0), (1.0, 0, 1, 2), (1.5, 0, 0, 0)]


def test_a_threshold_of_almost_zero_on_record_is_far_above_in_the_histogram():
    parts = [Scored("a", 0.5, 1e-320, "anomalous", None, 0), Scored("b", 0.5, 1e308, "good", None, 0)]
    assert histogram(parts, bins=2) == [(0.0, 1, 0, 0), (1.0, 1, 0, 0)]


def test_a_person_sets_thresholds_within_reach_of_the_models_own():
    assert all(may_be_set(threshold, 2.0) for threshold in (2.1e-6, 2.0, 1.9e6))
    assert not any(may_be_set(threshold, 2.0) for threshold in (1e-320, 1e-6, 3e6, 1e308, np.inf, np.nan, 0, -2))
    assert not any(may_be_set(threshold, 0.0) for threshold in (0.0, 1.0))  # which nothing scales

"""A station's own threshold changes the verdict, never what lights that failed forbid."""

import numpy as np
import pytest

from afrd.inspector import Inspection
from afrd.station.judge import station_verdict


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
    weights = np.full((1, 2), 0.5, np.float32)
    inspection = Inspection(
        "p", score, 1.0, np.zeros((4, 4), np.float32), weights, judged=judged, may_be_good=may_be_good
    )
    assert station_verdict(inspection, 2.0, None) == verdict

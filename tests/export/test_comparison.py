import dataclasses
import math

import numpy as np
import pytest

from afrd.export import TOLERANCES, Comparison, compare
from afrd.imaging.coarse_map import CoarseMap
from afrd.inspection import Inspection
from afrd.inspector import Inspector

EQUAL = Comparison(4, 0.0, 0.0, 0.0, (), (), (0.9, 0.9), TOLERANCES["int8"], pairs=1600)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"map": 0.26}, "maps differ by 0.26 of their range, at most 0.25"),
        ({"map": math.nan}, "maps differ by nan"),
        ({"score": 0.21}, "scores differ by 0.21 of the map's range, at most 0.2 is"),
        ({"score": math.nan}, "scores differ by nan"),
        ({"light_weights": 0.06}, "light weights differ by 0.06, at most 0.05"),
        ({"changed": ("a", "b"), "undecided": ("a",)}, "1 verdict changed, first of capture b"),
        ({"auroc": (0.9, 0.894)}, "I-AUROC fell from 0.9000 to 0.8940, by more than 0.005"),
        ({"auroc": (0.9, 0.88), "pairs": 100}, "I-AUROC fell from 0.9000 to 0.8800, by more than 0.01"),
    ],
)
def test_what_fails(change, says):
    [failure] = dataclasses.replace(EQUAL, **change).failures
    assert failure.startswith(says)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"map": 0.25},
        {"changed": ("a",), "undecided": ("a",)},
        {"auroc": (0.9, 0.895)},
        {"auroc": (0.8, 0.9)},
        {"auroc": (0.9, 0.89), "pairs": 100},
    ],
)
def test_what_passes(change):
    assert dataclasses.replace(EQUAL, **change).failures == []


class Shifted:
    """An inspector whose map and score are another's plus a shift."""

    def __init__(self, inspector: Inspector, shift: float, threshold: float) -> None:
        self.inspector, self.shift, self.threshold = inspector, shift, threshold

    def inspect_capture(self, capture) -> Inspection:
        found = self.inspector.inspect_capture(capture)
        return dataclasses.replace(
            found,
            score=found.score + self.shift,
            map=CoarseMap(found.anomaly_map + self.shift),
            threshold=self.threshold,
        )


class Broken(Shifted):
    """The same, with a map that is not a number for one capture."""

    def inspect_capture(self, capture) -> Inspection:
        found = super().inspect_capture(capture)
        return dataclasses.replace(found, map=CoarseMap(found.anomaly_map * np.nan)) if capture.id == "001" else found


def test_one_map_that_is_no_number_is_not_overlooked(trained, good):
    run = Inspector.load(trained())
    assert good[1].id == "001"
    found = compare(run, Broken(run, 0.0, run.threshold), good[:3], TOLERANCES["fp32"])
    assert any(failure.startswith("maps differ by nan") for failure in found.failures)
    assert "I-AUROC  not compared: no labelled good and bad captures" in found.lines()[-1]


def test_differences_are_shares_of_the_maps_range_and_ties_are_no_changes(trained, good):
    inspector, captures = Inspector.load(trained()), good[:3]
    found = [inspector.inspect_capture(capture) for capture in captures]
    extents = [float(np.ptp(each.anomaly_map)) for each in found]
    threshold = found[1].score  # as thresholds are: the score of a part, which is good by a hair
    run = Shifted(inspector, 0.0, threshold)

    tiny = compare(run, Shifted(inspector, 1e-7 * extents[1], threshold), captures, TOLERANCES["fp32"])
    assert tiny.changed == tiny.undecided == (captures[1].id,)
    assert tiny.failures == []

    shift = 0.01 * min(extents)
    seen = []
    large = compare(
        run, Shifted(inspector, shift, threshold), captures, TOLERANCES["fp32"], lambda *step: seen.append(step)
    )
    assert large.map == pytest.approx(0.01, rel=1e-3)
    assert large.score == pytest.approx(0.01, rel=1e-3)
    assert large.light_weights == 0
    assert captures[1].id in large.changed
    assert large.auroc is None  # good captures only
    assert [failure.split()[0] for failure in large.failures][:2] == ["maps", "scores"]
    assert seen == [(1, 3), (2, 3), (3, 3)]

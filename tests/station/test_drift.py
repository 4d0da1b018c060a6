"""The rig's monitor on a station: against its textbook definition, on lights that fade and on one that moves."""

from types import SimpleNamespace

import numpy as np
import pytest
from sqlalchemy.orm import Session

from afrd.rig import QUANTITIES, WEIGHT, RigReference, measure_rig
from afrd.station.database import open_database, sqlite_url
from afrd.station.drift import ALL, BASELINE, RigWatch, registration_advice, registration_charts
from afrd.station.statistics import Statistics
from afrd.station.tables import CaptureRow
from captures import make_capture

LIGHTS = ("left", "right", "top")


@pytest.fixture(scope="module")
def reference():
    rng = np.random.default_rng(0)
    return RigReference.learn([measure_rig(make_capture(rng, 3, 64)[0]) for _ in range(30)])


def deviations(reference, rng, right: float = 0.0) -> np.ndarray:
    """[Q, 1 + N] of one more capture of a rig in order, but for the brightness of one light, in logarithms."""
    found = rng.normal(size=(len(QUANTITIES), 4)) * np.array(reference.spreads)
    found[QUANTITIES.index("brightness"), 2] += right
    return found


def add(watch: RigWatch, id: str, found: np.ndarray) -> None:
    watch.add(id, SimpleNamespace(inspection=SimpleNamespace(rig_deviations=found)))


def test_the_average_on_a_chart_is_exponentially_weighted(reference):
    rng = np.random.default_rng(1)
    past = [deviations(reference, rng) for _ in range(40)]
    watch = RigWatch(reference, LIGHTS)
    found = {(chart.quantity, chart.light): chart for chart in watch.charts(past)}
    assert set(found) == {(quantity, light) for quantity in QUANTITIES for light in (ALL, *LIGHTS)}
    spread = np.array(reference.spreads)[0, 0]
    expected = 0.0
    for each in past:
        expected += WEIGHT * (float(np.clip(each[0, 0], -4 * spread, 4 * spread)) - expected)
    chart = found["brightness", ALL]
    assert chart.average[-1] == pytest.approx(100 * np.expm1(expected))
    assert chart.values[-1] == pytest.approx(100 * np.expm1(past[-1][0, 0]))
    assert chart.low < 0 < chart.high
    assert not any(each.out for each in found.values())


def test_one_light_that_fades_is_named_with_its_mend_also_after_a_restart(reference):
    rng = np.random.default_rng(2)
    watch = RigWatch(reference, LIGHTS)
    past = []
    for k in range(80):
        past.append((f"part-{k}", deviations(reference, rng, -0.01 * max(0, k - 20))))
        add(watch, *past[-1])
    assert len(watch.drifting) == 1
    assert watch.drifting[0].startswith("light right: ")
    assert "darker than in training" in watch.drifting[0]
    assert "clean the lamps" in watch.drifting[0]
    out = [(chart.quantity, chart.light) for chart in watch.charts([each for _, each in past]) if chart.out]
    assert out == [("brightness", "right")]
    again = RigWatch(None, LIGHTS)
    assert again.drifting == []
    assert not again.known
    again.watch(reference, ((id, each.tolist()) for id, each in past))
    assert again.drifting == watch.drifting


def test_captures_whose_rig_was_not_measured_are_passed_over(tmp_path):
    engine = open_database(sqlite_url(tmp_path))
    measured = [[0.1] * 4] * 5
    with Session(engine) as session:
        for k, found in enumerate((measured, None, measured)):
            session.add(
                CaptureRow(
                    station="a", id=f"part-{k}", state="judged", source="http", taken_at=k, digest="", files={},
                    bytes=0, light_notes=[], late=False, verdict="good", model="m", rig_deviations=found, shifts=None,
                )
            )  # fmt: skip
        session.commit()
    statistics = Statistics(engine, "a")
    assert [row.id for row in statistics.rig("m", 10)] == ["part-0", "part-2"]
    assert statistics.shifts("m", 10, 10) == []


def test_a_light_that_moves_leaves_its_limits_and_the_others_stay():
    shifts = np.random.default_rng(3).normal(0, 0.05, (BASELINE + 30, 3, 2))
    shifts[BASELINE:, 1, 0] += 2  # one light, two pixels to the right
    charts = registration_charts(LIGHTS, shifts)
    assert [chart.light for chart in charts] == [f"{light}, {axis}" for light in LIGHTS for axis in "xy"]
    found = {chart.light: chart for chart in charts}
    assert [light for light, chart in found.items() if chart.out] == ["right, x"]
    (words,) = registration_advice(charts)
    assert words.startswith("light right, x: +1.9 px from where it lay; check that camera, lens")
    before = registration_charts(LIGHTS, shifts[:BASELINE])
    assert {chart.low for chart in before} == {None}
    assert registration_advice(before) == []

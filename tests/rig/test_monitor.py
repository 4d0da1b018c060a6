"""The averages against numbers worked out by hand, run lengths against the literature and against drawn values."""

import json

import numpy as np
import pytest

from afrd.errors import ModelError
from afrd.rig import RigMonitor, RigReference
from afrd.rig.run_length import limit_for, run_length, spread_bound

CELLS = " ".join(["0"] * 64)
ONES = " ".join(["1"] * 64)


def reference(captures: int = 10**6, spread: float = 0.01) -> RigReference:
    """Two lights, every quantity with the same spread, known from as many captures."""
    return RigReference(
        captures=captures,
        offset=0.1,
        levels=(CELLS, CELLS),
        level_spreads=(ONES, ONES),
        colours=(CELLS, CELLS),
        colour_spreads=(ONES, ONES),
        centres=((0, 0),) * 5,
        spreads=((spread, spread, spread),) * 5,
        limits=(1,) * 5,
        spot_limit=1,
    )


def capture(brightness: float = 0.0, second_light: float = 0.0) -> np.ndarray:
    """[5, 3] deviations."""
    deviations = np.zeros((5, 3))
    deviations[0] = brightness, 0, second_light
    return deviations


def test_averages_are_those_worked_out_by_hand():
    """λ = 0.1: 0.1 · 0.01 = 0.001; 0.9 · 0.001 - 0.1 · 0.02 = -0.0011; 0.9 · -0.0011 = -0.00099; held at 4 spreads."""
    monitor = RigMonitor(reference())
    averages = []
    for brightness in (0.01, -0.02, 0.0, 1.0):
        monitor.add(capture(brightness), "c")
        averages.append(json.loads(monitor.state())["averages"][0][0])
    assert averages == pytest.approx([0.001, -0.0011, -0.00099, 0.9 * -0.00099 + 0.1 * 0.04])


def test_it_signals_when_the_average_passes_the_limit():
    """A step of two spreads: 2 (1 - 0.9^k) passes L √(0.1 / 1.9) at the k that follows from it."""
    limit = limit_for(0.1, 10_000 * 15) * np.sqrt(0.1 / 1.9)
    expected = next(k for k in range(1, 100) if 2 * (1 - 0.9**k) > limit)
    monitor = RigMonitor(reference())
    for k in range(50):
        begun = monitor.add(capture(-0.02), f"c{k}")
        if begun:
            break
    assert k + 1 == expected
    (drift,) = begun
    assert (drift.quantity, drift.light, drift.since, drift.captures) == ("brightness", None, "c0", expected)
    assert drift.size == pytest.approx(-0.02)
    assert monitor.add(capture(-0.02), "next") == ()  # it has begun already
    assert [one.quantity for one in monitor.drifts] == ["brightness"]
    assert drift.words(("left", "right")).startswith("all lights: 2.0% darker than in training; clean the lamps")
    assert drift.words(("left", "right")).endswith(f"(since capture c0, {expected} captures ago)")


def test_one_light_is_named_and_its_beginning_found():
    rng = np.random.default_rng(0)
    monitor = RigMonitor(reference())
    for k in range(200):
        drift = -0.001 * max(0, k - 100)
        monitor.add(rng.normal(0, 0.01, (5, 3)) + capture(second_light=drift), f"{k}")
    (found,) = monitor.drifts
    assert (found.quantity, found.light) == ("brightness", 1)
    assert 90 <= int(found.since) <= 120
    assert found.words(("left", "right")).startswith("light right: ")


def test_one_strange_part_is_no_drift():
    monitor = RigMonitor(reference())
    for k in range(40):
        monitor.add(np.full((5, 3), 5.0 if k == 20 else 0.0), f"{k}")
        assert monitor.drifts == ()


@pytest.mark.parametrize(("weight", "limit"), [(0.05, 2.615), (0.10, 2.814), (0.25, 2.998), (0.50, 3.071)])
def test_run_lengths_are_those_of_the_literature(weight, limit):
    """Lucas and Saccucci 1990: these have a mean run length of 500."""
    assert run_length(weight, limit) == pytest.approx(500, rel=0.01)
    assert limit_for(weight, 500) == pytest.approx(limit, abs=0.01)


def test_the_stated_run_length_holds_for_drawn_values():
    """All 15 charts together; the mean and spread first known exactly, then learned from 25 captures."""
    rng = np.random.default_rng(0)
    lengths = []
    monitor, count = RigMonitor(reference(), run_length=200), 0
    for _ in range(12_000):
        count += 1
        if monitor.add(rng.normal(0, 0.01, (5, 3)), "c"):
            lengths.append(count)
            monitor, count = RigMonitor(reference(), run_length=200), 0
    assert 140 < np.mean(lengths) < 280
    false = 0
    for _ in range(40):
        drawn = rng.normal(0, 0.01, (25, 5, 3))
        learned = reference(25).model_copy(update={"spreads": tuple(map(tuple, drawn.std(0, ddof=1)))})
        monitor = RigMonitor(learned, run_length=200)
        false += sum(bool(monitor.add(rng.normal(0, 0.01, (5, 3)) - drawn.mean(0), "c")) for _ in range(200))
    assert false <= 40


def test_a_spread_is_bounded_as_chi_square_says():
    """√(ν / χ²₀.₁): χ²₀.₁ is 4.168 for 9 degrees of freedom and 21.434 for 31."""
    assert spread_bound(9) == pytest.approx(np.sqrt(9 / 4.168), rel=0.005)
    assert spread_bound(31) == pytest.approx(np.sqrt(31 / 21.434), rel=0.005)


def test_it_goes_on_from_its_state():
    rng = np.random.default_rng(0)
    values = rng.normal(0.01, 0.01, (60, 5, 3))
    whole = RigMonitor(reference())
    for k, value in enumerate(values):
        whole.add(value, f"{k}")
    parts = RigMonitor(reference())
    for k, value in enumerate(values):
        parts.add(value, f"{k}")
        parts = RigMonitor(reference(), state=parts.state())
    assert parts.state() == whole.state()
    assert parts.drifts == whole.drifts != ()


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ("no JSON", "start without it"),
        ("{}", "reference: missing"),
        (RigMonitor(reference(spread=0.02)).state(), "of another model"),
        (RigMonitor(reference()).state().replace("[[0.0, 0.0, 0.0]", "[[0.0, 0.0]"), "of another model"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(state, says):
    with pytest.raises(ModelError, match=says):
        RigMonitor(reference(), state=state)

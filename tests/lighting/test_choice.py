"""The choice among subsets, against numbers made by hand."""

import numpy as np
import pytest

from afrd.lighting.alike import sums
from afrd.lighting.choice import choose, pareto
from afrd.lighting.resampling import Resampled
from afrd.lighting.scores import every_subset, looked_at, search
from afrd.training.alike_lights import copies

LABELS = [False] * 4 + [True] * 4


def test_auroc_and_its_resamples():
    parts = Resampled(LABELS, [str(i) for i in range(8)], resamples=50)
    scores = np.array([0, 1, 2, 3, 2, 4, 5, 6.0])  # of 16 pairs 14 in order, 1 a tie
    assert parts.value(scores) == 14.5 / 16
    for counts, value in zip(parts.counts, parts.values(scores), strict=True):
        rows = np.repeat(np.arange(8), counts.astype(int))
        again = Resampled(np.array(LABELS)[rows], [str(i) for i in range(len(rows))], resamples=1)
        assert value == pytest.approx(again.value(scores[rows]))
        assert counts[:4].sum() == counts[4:].sum() == 4


def test_captures_of_one_part_are_drawn_together():
    parts = Resampled(LABELS, list("abcdabcd"), resamples=20)
    assert (parts.counts[:, :4] == parts.counts[:, 4:]).all()


def test_the_cheapest_within_one_standard_error():
    rng = np.random.default_rng(0)
    labels = [False] * 40 + [True] * 40
    parts = Resampled(labels, [str(i) for i in range(80)])
    good = np.concatenate([rng.normal(0, 1, 40), rng.normal(3, 1, 40)])
    scores = np.stack([rng.normal(0, 1, 80), good, good + 1e-3 * rng.normal(0, 1, 80), good])
    choice = choose(parts, scores, [(1, 1), (3, 1), (2, 1), (4, 2)], 3)
    assert choice.index == 2  # as good as the best but for noise, and cheaper
    assert choice.against_all.value == pytest.approx(0, abs=0.01)
    assert choice.own.low < choice.own.value < choice.own.high
    assert choice.share > 0.9
    assert choice.elsewhere.value == pytest.approx(choice.own.value, abs=0.03)


def test_pareto_front():
    assert pareto([3, 1, 2, 2, 4], [0.9, 0.5, 0.4, 0.7, 0.9]) == [1, 3, 0]


def test_search_finds_a_pair_that_greedy_alone_misses():
    """Light 2 is the best alone; 0 and 1 together are the best pair."""

    def value(lights):
        seen.add(lights)
        return 0.5 + 0.2 * (2 in lights) + 0.4 * ({0, 1} <= set(lights)) + 0.01 * len(lights)

    seen = set()
    search(12, value)
    assert (0, 1, 2) in seen
    assert tuple(range(12)) in seen
    assert {(k,) for k in range(12)} <= seen
    assert {tuple(i for i in range(12) if i != k) for k in range(12)} <= seen
    assert len(seen) < 1000
    assert looked_at(12, value) == sorted(seen, key=lambda lights: (len(lights), lights))
    assert (0, 1, 2) not in looked_at(12, sum)  # another value, another search
    assert looked_at(6, value) == every_subset(6) and len(every_subset(6)) == 63


def test_groups_of_copies():
    alike = np.eye(5)
    for a, b in ((0, 2), (2, 4), (0, 4), (1, 3)):
        alike[a, b] = alike[b, a] = 0.98
    assert copies(alike) == [(0, 2, 4), (1, 3)]
    alike[0, 4] = alike[4, 0] = 0.5  # a chain is no group: its ends differ
    assert copies(alike) == [(0, 2), (1, 3)]


class Captures(list):
    """As `sums` reads them: captures of so many lights."""

    def __init__(self, linear):
        images = np.round(65535 * linear ** (1 / 2.2)).astype(np.uint16)[:, None]
        super().__init__([type("Capture", (), {"images": images})])
        self.lights = range(len(linear))


def test_a_sum_of_lights_is_named():
    rng = np.random.default_rng(0)
    linear = rng.uniform(0.05, 0.4, (3, 64, 64)).repeat(2, 1).repeat(2, 2)
    linear = np.concatenate([linear, linear[:2].sum(0, keepdims=True)])
    (found,) = sums(Captures(linear))
    assert found[:2] == (3, (0, 1))
    assert found[2] > 0.99


def test_a_sum_that_has_a_copy_is_named():
    """Light 0 shows what 2 and 3 show together; 1 is nearly its copy."""
    rng = np.random.default_rng(0)
    fine = rng.uniform(0.05, 0.4, (4, 64, 64)).repeat(2, 1).repeat(2, 2)
    whole = fine[0] + fine[1]
    linear = np.stack([whole, 0.7 * whole + 0.3 * fine[3], fine[0], fine[1]])
    found = sums(Captures(linear), [(0, 1)])
    assert [each[:2] for each in found] == [(0, (2, 3))]
    assert sums(Captures(linear[:3]), [(0, 1)]) == []  # nothing is a sum of one other light, or of copies

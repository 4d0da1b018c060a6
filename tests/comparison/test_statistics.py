"""Bootstrap, paired tests and corrections against loops, other libraries and numbers worked by hand."""

import numpy as np
import pytest
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score

from afrd.comparison.statistics import (
    Area,
    Mean,
    Runs,
    areas,
    average,
    difference,
    holm,
    over_classes,
    over_seeds,
)
from afrd.evaluation.metrics import image_auroc


def made_up(rng, strength, seeds=(0,), n=(12, 9)):
    """Labels (good ones first) and runs with ties."""
    labels = np.arange(sum(n)) >= n[0]
    scores = np.round(rng.normal(size=(len(seeds), len(labels))) + strength * labels, 1)
    return labels, Runs(tuple(seeds), scores)


def rank_area(scores, n_good, n_bad):
    """I-AUROC by the rank sum of the defective captures, which come last."""
    return (rankdata(scores)[n_good:].sum() - n_bad * (n_bad + 1) / 2) / (n_good * n_bad)


def looped(labels, runs, resamples, seed=1):
    """The same resampling, one draw at a time, areas by ranks; [R] per method."""
    rng = np.random.default_rng(seed)
    good, bad = np.flatnonzero(~labels), np.flatnonzero(labels)
    found = {key: [] for key in runs}
    for _ in range(resamples):
        picked = np.concatenate([rng.choice(good, len(good)), rng.choice(bad, len(bad))])
        chosen = {seeds: rng.integers(len(seeds), size=len(seeds)) for seeds in {run.seeds for run in runs.values()}}
        for key, run in runs.items():
            each = [rank_area(run.scores[s][picked], len(good), len(bad)) for s in chosen[run.seeds]]
            found[key].append(np.mean(each))
    return {key: np.array(values) for key, values in found.items()}


def test_value_is_the_mean_over_seeds_of_scikit_learns_area():
    rng = np.random.default_rng(0)
    labels, run = made_up(rng, 1, seeds=(0, 1, 5))
    (area,) = areas("Confetto", labels, {"a": run}, resamples=10).values()
    assert area.value == pytest.approx(np.mean([roc_auc_score(labels, scores) for scores in run.scores]), abs=1e-12)


def test_resampling_agrees_with_a_loop_over_single_draws():
    """Captures and seeds at once, for one method and for the difference of two that share captures and seeds."""
    rng = np.random.default_rng(3)
    labels, a = made_up(rng, 1.2, seeds=(0, 1, 2))
    noise = np.round(rng.normal(0, 0.6, a.scores.shape), 1)
    b = Runs(a.seeds, a.scores + noise - 0.4 * labels)
    runs = {"a": a, "b": b, "one seed": Runs((7,), a.scores[:1])}
    ours = areas("Confetto", labels, runs, resamples=20_000)
    theirs = looped(labels, runs, 3000)
    for key in runs:
        assert ours[key].resampled.mean() == pytest.approx(theirs[key].mean(), abs=0.006)
        assert ours[key].interval == pytest.approx(np.quantile(theirs[key], [0.025, 0.975]), abs=0.02)
    d = difference(ours["a"], ours["b"])
    assert d.value == pytest.approx(ours["a"].value - ours["b"].value)
    assert d.interval == pytest.approx(np.quantile(theirs["a"] - theirs["b"], [0.025, 0.975]), abs=0.015)
    unpaired = np.random.default_rng(0).permutation(theirs["a"]) - theirs["b"]
    assert np.diff(d.interval) < 0.9 * np.diff(np.quantile(unpaired, [0.025, 0.975]))


def test_one_seed_is_the_interval_of_an_evaluation():
    labels, run = made_up(np.random.default_rng(4), 1, n=(20, 20))
    (area,) = areas("Confetto", labels, {"a": run}, resamples=20_000).values()
    assert area.interval == pytest.approx(image_auroc(labels, run.scores[0], resamples=20_000).interval, abs=0.01)


def test_seeds_that_differ_widen_the_interval():
    labels, run = made_up(np.random.default_rng(5), 1.0, n=(20, 20))
    same = Runs((0, 1, 2), np.repeat(run.scores, 3, axis=0))
    weak = run.scores[0] - 2 * labels
    apart = Runs((0, 1, 2), np.stack([run.scores[0] + 2 * labels, run.scores[0], weak]))
    found = areas("Confetto", labels, {"same": same, "apart": apart, "one": run})
    assert found["same"].interval == found["one"].interval
    assert np.diff(found["apart"].interval) > 1.5 * np.diff(found["same"].interval)


def test_other_classes_and_methods_do_not_change_the_draws_of_captures():
    labels, run = made_up(np.random.default_rng(6), 1)
    _, other = made_up(np.random.default_rng(7), 0)
    alone = areas("Confetto", labels, {"a": run})["a"]
    beside = areas("Confetto", labels, {"b": other, "a": run})["a"]
    assert np.array_equal(alone.resampled, beside.resampled)
    assert not np.array_equal(alone.resampled, areas("Lollipop", labels, {"a": run})["a"].resampled)


def test_many_methods_at_once_are_the_same_as_one_by_one(monkeypatch):
    rng = np.random.default_rng(8)
    labels, _ = made_up(rng, 1)
    runs = {i: made_up(rng, 1)[1] for i in range(7)}
    whole = areas("Confetto", labels, runs, resamples=50)
    monkeypatch.setattr("afrd.comparison.statistics._CHUNK", 50 * 12 * 2)  # two methods at a time
    parts = areas("Confetto", labels, runs, resamples=50)
    assert all(np.array_equal(whole[i].resampled, parts[i].resampled) for i in runs)


def test_average_over_classes_is_resampled_class_by_class():
    a, b = Area(0.8, np.array([0.7, 0.9, 0.8, 0.8])), Area(0.6, np.array([0.6, 0.6, 0.5, 0.7]))
    both = average([a, b])
    assert both.value == pytest.approx(0.7)
    assert both.resampled == pytest.approx([0.65, 0.75, 0.65, 0.75])
    assert average([a, Area(1.0, None)]).interval is None


def test_p_is_that_of_a_paired_bootstrap():
    """Against draws one by one, areas by ranks: the same parts for both methods."""
    rng = np.random.default_rng(9)
    labels, a = made_up(rng, 1.0, n=(25, 25))
    b = Runs((0,), a.scores + rng.normal(0, 0.8, a.scores.shape) - 0.5 * labels)
    found = areas("Confetto", labels, {"a": a, "b": b}, resamples=20_000)
    ours = difference(found["a"], found["b"])
    drawn = []
    for _ in range(4000):
        parts = np.concatenate([rng.integers(25, size=25), 25 + rng.integers(25, size=25)])
        drawn.append(rank_area(a.scores[0, parts], 25, 25) - rank_area(b.scores[0, parts], 25, 25))
    assert ours.value == pytest.approx(rank_area(a.scores[0], 25, 25) - rank_area(b.scores[0], 25, 25))
    assert ours.interval == pytest.approx(np.quantile(drawn, (0.025, 0.975)), abs=0.02)
    p = 2 * min(np.mean(np.array(drawn) <= 0), np.mean(np.array(drawn) >= 0))
    assert ours.p == pytest.approx(p, rel=0.4, abs=0.004)


def test_p_by_hand():
    a, b = Area(0.9, np.array([0.9, 0.9, 0.8, 0.9])), Area(0.8, np.array([0.8, 0.8, 0.9, 0.9]))
    assert difference(a, b).p == pytest.approx(1.0)  # two of four at or below zero: 2 · 3 / 5, at most 1
    assert difference(a, Area(0.1, np.full(4, 0.1))).p == pytest.approx(2 / 5)
    assert difference(a, a).p == 1.0
    assert difference(a, Area(0.5, None)).p is None


def test_a_method_that_is_no_better_is_rarely_called_better():
    """Under no difference p is below 0.1 about one time in ten."""
    rng = np.random.default_rng(10)
    labels = np.arange(60) >= 30
    low = 0
    for i in range(200):
        shared = rng.normal(size=60) + labels
        runs = {k: Runs((0,), (shared + rng.normal(size=60))[None]) for k in "ab"}
        found = areas(f"class {i}", labels, runs, resamples=400)
        low += difference(found["a"], found["b"]).p < 0.1
    assert 6 <= low <= 38


def test_holm_by_hand():
    # sorted 0.01 0.02 0.03 0.2 times 4 3 2 1: 0.04 0.06 0.06 0.2
    assert holm([0.03, 0.01, 0.2, 0.02]) == pytest.approx([0.06, 0.04, 0.2, 0.06])
    # Holm 1979, steps must not fall: 0.04·2 = 0.08, then 0.05·1 is lifted to 0.08
    assert holm([0.05, 0.04]) == pytest.approx([0.08, 0.08])
    assert holm([0.9, 0.8, 0.7]) == [1.0, 1.0, 1.0]
    assert holm([]) == []
    assert holm([0.001]) == [0.001]


def test_seeds_and_classes_of_pixel_metrics_by_hand():
    one = over_seeds([0.9], [(0.86, 0.93)])
    assert one.value == 0.9 and one.interval == pytest.approx((0.86, 0.93))
    # mean 0.9; below (0.04 + 0.06) / 2, above 0.03; standard error 0.02 / √2 / √2 = 0.01
    two = over_seeds([0.89, 0.91], [(0.85, 0.92), (0.85, 0.94)])
    seeds = 1.96 * 0.01
    assert two.value == pytest.approx(0.9)
    assert two.interval == pytest.approx((0.9 - np.hypot(0.05, seeds), 0.9 + np.hypot(0.03, seeds)))
    assert over_seeds([0.99], [(0.9, 1.0)]).interval[1] == pytest.approx(1.0)
    assert over_seeds([0.9, 0.8], [None, (0.7, 0.9)]) == Mean(pytest.approx(0.85), None)
    classes = over_classes([Mean(0.8, (0.77, 0.84)), Mean(0.6, (0.56, 0.63))])
    assert classes.value == pytest.approx(0.7)
    assert classes.interval == pytest.approx((0.7 - 0.025, 0.7 + 0.025))  # √(3² + 4²) / 2
    assert over_classes([Mean(0.8, None), Mean(0.6, (0.5, 0.7))]).interval is None


def test_one_capture_of_a_kind_has_a_value_and_no_interval():
    labels = np.array([False, False, True])
    (area,) = areas("Confetto", labels, {"a": Runs((0,), np.array([[1.0, 3.0, 2.0]]))}).values()
    assert (area.value, area.interval) == (0.5, None)


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [([False, False], [1.0, 2.0], "2 good and 0 defective"), ([True, False], [np.nan, 1.0], "NaN")],
)
def test_what_has_no_area_is_refused(labels, scores, message):
    with pytest.raises(ValueError, match=message):
        areas("Confetto", np.array(labels), {"a": Runs((0,), np.array([scores]))})

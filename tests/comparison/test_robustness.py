"""Tables of disturbed captures: the right numbers, paired differences, and nothing where nothing was disturbed."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from afrd.comparison.job import ALL_LIGHTS, Job
from afrd.comparison.series import MEAN_SCORE, Column, load_comparison
from afrd.comparison.statistics import Runs, false_alarm_rates
from afrd.comparison.tables import build_tables, write_tables
from comparison_folder import LIGHTS, THREE, ComparisonFolder, make_scores, strength

KEYS = ("disturbed", "disturbed-change", "disturbed-alarms")


def disturbed(folder: ComparisonFolder, scores: np.ndarray, light_fault_rate: float = 0.25) -> dict:
    """What a result says of one disturbance."""
    return {"scores": list(map(float, scores)), "light_fault_rate": light_fault_rate}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two classes: joint with two seeds and mean with one under two disturbances; dust cannot lie on the second."""
    made = ComparisonFolder(tmp_path_factory.mktemp("robustness"), n_good=14, n_bad=12)
    rng = np.random.default_rng(3)
    for name in THREE[:2]:
        for method, seeds in (("joint", (0, 1)), ("mean", (0,))):
            for seed in seeds:
                before = make_scores(rng, 1.5, 14, 12)
                under = {
                    "noise:2": disturbed(made, before + 0.5 + 0.8 * rng.standard_normal(26)),
                    "gain:0.8": disturbed(made, before * 0.9, 1.0),
                    "dust:10": disturbed(made, before) if name == THREE[0] else {"refused": "no belt"},
                }
                made.done(Job(name, method, ALL_LIGHTS, seed), before, stated_rate=0.1, disturbed=under)
    return made


@pytest.fixture(scope="module")
def tables(folder):
    return build_tables(folder.root)


def auroc(folder, name: str, method: str, by: str | None) -> float:
    """Mean over seeds by scikit-learn."""
    found = [r for job, r in folder.store.read().items() if (job.category, job.method) == (name, method)]
    scores = [r["disturbed"][by]["scores"] if by else [c["score"] for c in r["captures"]] for r in found]
    return float(np.mean([roc_auc_score(folder.labels, each) for each in scores]))


@pytest.mark.parametrize("method", ["joint", "mean"])
def test_a_cell_is_the_average_over_classes_and_seeds(folder, tables, method):
    title = {"joint": "joint Gaussian", "mean": "mean"}[method]
    for heading, by in (("as it is", None), ("noise σ 2/255", "noise:2"), ("all lights × 0.8", "gain:0.8")):
        cell = tables.table("disturbed").cell(title, heading)
        assert cell.value == pytest.approx(np.mean([auroc(folder, name, method, by) for name in THREE[:2]]))
        assert cell.interval[0] < cell.value < cell.interval[1]
        assert cell.seeds == (2 if method == "joint" else 1)


def test_what_is_lost_is_paired(folder, tables):
    table = tables.table("disturbed-change")
    lost = [auroc(folder, n, "joint", "noise:2") - auroc(folder, n, "joint", None) for n in THREE[:2]]
    noise = table.cell("joint Gaussian", "noise σ 2/255")
    assert noise.value == pytest.approx(np.mean(lost))
    assert noise.main.startswith("−") and noise.interval[0] < noise.value < noise.interval[1]
    gain = table.cell("joint Gaussian", "all lights × 0.8")
    assert (gain.value, gain.interval) == (0, (0, 0))  # the order of the scores is the same, in every resample
    assert table.cell("joint Gaussian", "worst").value == noise.value
    by_class = [np.mean([lost[0], 0, 0]), np.mean([lost[1], 0])]
    assert table.cell("joint Gaussian", "mean").value == pytest.approx(np.mean(by_class))


def test_alarms_are_the_share_of_good_parts_above_the_threshold(folder, tables):
    table = tables.table("disturbed-alarms")
    results = folder.store.read()
    shares = [
        np.mean(np.array(results[Job(name, "joint", ALL_LIGHTS, seed)]["disturbed"]["noise:2"]["scores"])[:14] > 7.0)
        for name in THREE[:2]
        for seed in (0, 1)
    ]
    cell = table.cell("joint Gaussian", "noise σ 2/255")
    assert cell.value == pytest.approx(np.mean(shares))
    assert cell.interval[0] < cell.value < cell.interval[1]
    assert table.cell("joint Gaussian", "stated").value == pytest.approx(0.1)
    assert table.cell("light check", "noise σ 2/255").value == pytest.approx(0.25)
    assert table.cell("light check", "all lights × 0.8").value == pytest.approx(1.0)
    assert table.cell("light check", "as it is").main == "–"


def test_a_disturbance_that_cannot_be_applied_is_said_with_its_reason(tables):
    table = tables.table("disturbed")
    cell = table.cell("joint Gaussian", "10 specks of dust")
    assert cell.text == "(1 class)"
    assert f"10 specks of dust: not on {THREE[1]} (no belt)." in table.notes


def test_rates_are_resampled_over_good_captures_and_seeds():
    labels = np.array([False] * 50 + [True] * 5)
    alarms = np.zeros((1, 55))
    alarms[0, :10] = 1
    alarms[0, 50:] = 1
    (rate,) = false_alarm_rates("A", labels, {"x": Runs((0,), alarms)}, resamples=20_000).values()
    assert rate.value == 0.2
    assert rate.resampled.std() == pytest.approx(np.sqrt(0.2 * 0.8 / 50), rel=0.03)


def test_mean_scores_over_lights_are_taken_under_each_disturbance(tmp_path):
    made = ComparisonFolder(tmp_path / "lights")
    rng = np.random.default_rng(0)
    each = rng.random((len(LIGHTS), 16))
    for light in range(len(LIGHTS)):
        made.done(Job("A", "padim", str(light), 0), rng.random(16), disturbed={"jpeg:90": disturbed(made, each[light])})
    series = load_comparison(made.root).series["A", Column("padim", MEAN_SCORE)]
    assert series.disturbed["jpeg:90"].runs.scores[0] == pytest.approx(each.mean(axis=0))
    table = build_tables(made.root).table("disturbed-alarms")
    assert table.cell("PaDiM, mean score over lights", "JPEG 90").main == "–"


def test_tables_are_written_and_those_of_older_results_have_none_of_it(folder, tmp_path):
    paths = write_tables(folder.root, tmp_path / "new")
    assert all("noise σ 2/255" in path.read_text() for path in paths)
    older = ComparisonFolder(tmp_path / "older")
    older.fill(["Confetto"], ("mean",), strength)
    assert not {table.key for table in build_tables(older.root).tables} & set(KEYS)

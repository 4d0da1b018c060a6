"""The folder of a comparison refuses what does not belong."""

import csv
import json

import numpy as np
import pytest

from afrd.comparison.job import Job, Settings
from afrd.comparison.results import Store, read_results
from afrd.errors import RunError

JOB = Job("A", "rd", "3", 0)


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "comparison")
    store.open(Settings(epochs=2))
    store.write(JOB, {"status": "done", "image_auroc": 0.75, "data": {"digests": {"train": "x", "test": "y"}}})
    return store


def test_what_is_written_is_read_and_stands_in_the_table(store):
    assert read_results(store.folder)[JOB]["image_auroc"] == 0.75
    store.write(Job("A", "mean", "all", 1), {"status": "failed", "error": "out of paper, twice"})
    store.write_csv()
    with (store.folder / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(r["method"], r["light"], r["seed"], r["status"], r["image_auroc"], r["error"]) for r in rows] == [
        ("mean", "all", "1", "failed", "", "out of paper, twice"),
        ("rd", "3", "0", "done", "0.75", ""),
    ]


def test_a_result_cut_short_is_named_with_its_mend(store):
    path = store.result_path(JOB)
    path.write_text(path.read_text()[:40])
    with pytest.raises(RunError, match=rf"{path.name}: damaged .*delete it and run the comparison again"):
        store.read()


def test_finished_jobs_are_gathered_into_one_table(store):
    store.gather()
    other = Job("A", "mean", "all", 1)
    store.write(JOB, {"status": "done", "image_auroc": 0.5})  # run again: it wins
    store.write(other, {"status": "failed", "error": "out of paper"})
    before = store.read()
    store.gather()
    assert len(store.table.read_text().splitlines()) == 2
    assert not list((store.folder / "results").iterdir())
    assert store.read() == before
    assert [before[job]["status"] for job in (JOB, other)] == ["done", "failed"]
    assert before[JOB]["image_auroc"] == 0.5


def test_a_damaged_row_of_the_table_is_named_with_its_mend(store):
    store.gather()
    store.table.write_text(store.table.read_text()[:40])
    with pytest.raises(RunError, match=r"results\.jsonl:1: damaged .*delete the line and run the comparison again"):
        store.read()


def test_a_renamed_result_is_noticed(store):
    path = store.result_path(JOB)
    path.rename(path.with_name("A__rd__4__seed0.json"))
    with pytest.raises(RunError, match=r"A__rd__4__seed0\.json: holds the result of A__rd__3__seed0"):
        store.read()


def test_a_newer_format_is_refused(store):
    path = store.result_path(JOB)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2}))
    with pytest.raises(RunError, match="format 2, this afrd reads 1"):
        store.read()


def test_other_settings_are_refused_but_not_another_number_of_threads(store):
    with pytest.raises(RunError, match=r"other settings \(epochs: 2 → 3\); use these, or another --out"):
        store.require_fitting(Settings(epochs=3))
    store.require_fitting(Settings(epochs=2, threads=4))


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(RunError, match="not empty and no comparison"):
        Store(tmp_path).require_fitting(Settings())
    with pytest.raises(RunError, match="no comparison here"):
        read_results(tmp_path / "nowhere")


def test_captures_that_changed_since_are_not_mixed_in(store):
    results = store.read().values()
    store.require_same_origin({"A": {"train": "x", "test": "y"}}, {}, "weights", results)
    with pytest.raises(RunError, match=r"results of A were made from other captures \(test changed since\)"):
        store.require_same_origin({"A": {"train": "x", "test": "z"}}, {}, "weights", results)
    store.write(JOB, {"status": "done", "teacher_digest": "weights"})
    with pytest.raises(RunError, match="other weights of the teacher"):
        store.require_same_origin({}, {}, "others", store.read().values())


def test_another_lights_file_is_not_mixed_in(store):
    rig = {"imaging": {"black": 5}, "weights": [1.0, 0.5]}
    store.require_same_origin({}, {"A": rig}, "weights", store.read().values())  # a result of before does not tell
    store.write(JOB, {"status": "done", "data": {"rig": rig}})
    store.require_same_origin({}, {"A": rig}, "weights", store.read().values())
    with pytest.raises(RunError, match=r"results of A were made with another lights.yaml \(weights changed since\)"):
        store.require_same_origin({}, {"A": rig | {"weights": None}}, "weights", store.read().values())


def test_a_finished_result_outlives_a_failed_extension(store):
    store.gather()
    finished = store.read()[JOB]
    store.write(JOB, {"status": "failed", "error": "its process died 2 times"})
    for _ in range(2):  # by the file, then by the table
        assert store.read()[JOB] == finished | {"error": "its process died 2 times"}
        store.gather()
    store.write(JOB, {"status": "done", "image_auroc": 0.8})
    store.gather()
    assert "error" not in store.read()[JOB]


def test_what_a_killed_process_left_half_written_is_no_result(store):
    left = store.result_path(JOB).with_name(f".{JOB.id}.77.tmp.json")
    left.write_text('{"format": 1, "jo')
    assert list(store.read()) == [JOB]
    store.open(Settings(epochs=2))
    assert not left.exists()


def test_maps_that_are_missing_or_damaged_are_named(store):
    with pytest.raises(RunError, match=r"A__rd__3__seed0\.npz: missing or damaged.*delete the row of A__rd__3__seed0"):
        store.read_maps(JOB)
    maps = np.random.default_rng(0).random((2, 8, 8))
    store.write_maps(JOB, maps[:1], maps)
    holdout, test = store.read_maps(JOB)
    np.testing.assert_allclose(test, maps, atol=1e-3)
    np.testing.assert_array_equal(holdout, test[:1])
    path = store.folder / "maps" / f"{JOB.id}.npz"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(RunError, match="missing or damaged"):
        store.read_maps(JOB)

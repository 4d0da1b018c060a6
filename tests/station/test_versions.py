"""What judges and what is on record are the same, whatever the clock, the disk and a second click do."""

import shutil
import sqlite3
import threading

import pytest
import yaml
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from afrd.errors import StationError
from afrd.station import versions as module
from afrd.station.database import open_database, sqlite_url
from afrd.station.judge import Judge
from afrd.station.snapshot import DEFECT, HELD_OUT, LEARNED, each_once
from afrd.station.tables import ModelRow
from afrd.station.versions import Versions


@pytest.fixture
def two(artefact, tmp_path):
    """Versions of two models, the first judging, and the judge."""
    engine = open_database(sqlite_url(tmp_path))
    versions = Versions(engine, "cell", tmp_path, None)
    first = shutil.copy(artefact, tmp_path / "first.onnx")
    shutil.copy(artefact, versions.folder / "second.onnx")
    judge = Judge(versions.current(tmp_path / "first.onnx"))
    versions.add("second.onnx", "ada")
    yield versions, judge, first
    engine.dispose()


def numbers(versions: Versions) -> dict[str, int]:
    return {row.name.partition("@")[0]: row.number for row in versions.rows()}


def test_after_the_clock_went_back_the_last_one_activated_still_judges(two, tmp_path, monkeypatch):
    versions, judge, _ = two
    known, times = numbers(versions), iter([2e9, 2e9, 1.9e9, 1.9e9])
    monkeypatch.setattr(module.time, "time", lambda: next(times, 1.9e9))
    versions.activate(known["second"], judge, "ada")
    versions.activate(known["first"], judge, "ada")
    assert judge.version.name.startswith("first@")
    assert versions.current(tmp_path / "first.onnx").name == judge.version.name
    assert versions.previous().name.startswith("second@")


def test_what_cannot_be_put_on_record_does_not_judge(two):
    versions, judge, _ = two

    other = sqlite3.connect(versions._engine.url.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # nobody else can write
    with pytest.raises(OperationalError, match="locked"):
        versions.activate(numbers(versions)["second"], judge, "ada")
    other.execute("ROLLBACK")
    other.close()
    assert judge.version.name.startswith("first@") and versions.audit()[0].action == "added model"


def test_a_threshold_set_while_another_model_is_activated_stays_with_its_own(two, monkeypatch):
    """The slow part of an activation is loading; a threshold set meanwhile must not bring the old model back."""
    versions, judge, _ = two
    loading, go_on = threading.Event(), threading.Event()
    load = versions._loaded

    def slow(row):
        version = load(row)
        loading.set()
        assert go_on.wait(60)
        return version

    monkeypatch.setattr(versions, "_loaded", slow)
    activating = threading.Thread(target=versions.activate, args=(numbers(versions)["second"], judge, "ada"))
    activating.start()
    assert loading.wait(60)
    setting = threading.Thread(target=versions.set_threshold, args=(0.7, judge, "otto", "trial"))
    setting.start()
    go_on.set()
    activating.join()
    setting.join()
    assert judge.version.name.startswith("second@") and judge.version.threshold == 0.7
    on_record = {row.name.partition("@")[0]: row.threshold for row in versions.rows()}
    assert on_record == {"first": None, "second": 0.7}


@pytest.mark.parametrize("threshold", [1e-320, 1e308, float("inf"), float("nan"), 0.0])
def test_a_threshold_that_passes_or_stops_every_part_is_refused(two, threshold):
    versions, judge, _ = two
    with pytest.raises(StationError, match="the model's own is"):
        versions.set_threshold(threshold, judge, "otto", "trial")
    assert judge.version.threshold is None and versions.audit()[0].action == "added model"


def test_such_a_threshold_on_record_is_dropped_at_the_start(two, tmp_path):
    versions, judge, _ = two
    versions.set_threshold(0.7, judge, "otto", "trial")
    assert Versions(versions._engine, "cell", tmp_path, None).current(tmp_path / "first.onnx").threshold == 0.7
    with versions._engine.begin() as connection:
        connection.execute(update(ModelRow).values(threshold=1e308))
    again = Versions(versions._engine, "cell", tmp_path, None)
    assert again.current(tmp_path / "first.onnx").threshold is None
    assert {row.threshold for row in again.rows()} == {None}
    assert again.audit()[0].detail == {"to": None, "from": 1e308, "because": "too far from the model's own"}


def test_the_same_weights_with_another_threshold_are_another_version(run, tmp_path):
    """Or the page would show one threshold while the station judges by the other."""
    engine = open_database(sqlite_url(tmp_path))
    shutil.copytree(run, tmp_path / "model")
    first = Versions(engine, "cell", tmp_path, None).current(tmp_path / "model")
    card = tmp_path / "model" / "model.yaml"
    said = yaml.safe_load(card.read_text())
    card.write_text(yaml.safe_dump(said | {"threshold": said["threshold"] * 1.5}))
    versions = Versions(engine, "cell", tmp_path, None)
    second = versions.current(tmp_path / "model")
    assert second.name != first.name and second.name.startswith("model@")
    assert [row.card["threshold"] for row in versions.rows()] == [said["threshold"] * 1.5, said["threshold"]]
    assert versions.audit()[0].action == "activated model of the station file"
    before = f"model@{said['trained_digest'][:8]}"  # as an earlier afrd put it on record
    with engine.begin() as connection:
        connection.execute(update(ModelRow).where(ModelRow.name == second.name).values(name=before))
    assert Versions(engine, "cell", tmp_path, None).current(tmp_path / "model").name == before
    assert len(versions.rows()) == 2
    engine.dispose()


def test_good_parts_that_were_sent_twice_count_once():
    roles = {"a": LEARNED, "b": HELD_OUT, "c": DEFECT, "d": LEARNED}
    rows = [{"id": id, "role": role, "digest": "other" if id == "d" else "same"} for id, role in roles.items()]
    notes = []
    assert [row["id"] for row in each_once(rows, notes.append)] == ["a", "c", "d"]
    assert notes == ["capture b: the same pictures as a; they count once"]

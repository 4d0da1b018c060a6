"""A database of an earlier version keeps everything that is on record."""

import sqlite3

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from afrd.station.database import LATEST, migrations, open_database, sqlite_url
from afrd.station.history import Filter, History
from afrd.station.statistics import Statistics


@pytest.fixture
def old(tmp_path):
    """The tables of revision 0001 with a capture, its review and a model."""
    config = migrations()
    with create_engine(sqlite_url(tmp_path)).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    with sqlite3.connect(tmp_path / "station.sqlite") as database:
        values = {
            "number": 7, "station": "a", "id": "part", "state": "judged", "source": "http", "taken_at": 1.5,
            "digest": "d", "files": "{}", "bytes": 3, "verdict": "good", "light_notes": "[]", "light_figures": "{}",
            "late": 0, "label": "good",
        }  # fmt: skip
        database.execute(f"INSERT INTO captures ({', '.join(values)}) VALUES (:{', :'.join(values)})", values)
        database.execute("INSERT INTO reviews (capture, at, by, label) VALUES (7, 2.5, 'ada', 'good')")
        database.execute("INSERT INTO models (station, name, path, added_at, card) VALUES ('a', 'm@1', '/m', 1, '{}')")
    return tmp_path


def test_nothing_on_record_is_lost(old):
    for _ in range(2):  # the second time there is nothing to do
        engine = open_database(sqlite_url(old))
        row, reviews = History(engine, "a").get("part")
        assert (row.number, row.verdict, row.label, row.rig_deviations) == (7, "good", "good", None)
        assert [(review.by, review.label) for review in reviews] == [("ada", "good")]
        assert History(engine, "a").page(Filter(label="good"))[0].id == "part"
        engine.dispose()
    with sqlite3.connect(old / "station.sqlite") as database:
        assert database.execute("SELECT name, shadow, snapshot FROM models").fetchall() == [("m@1", 0, None)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []


def test_the_models_own_threshold_of_older_parts_follows_from_the_audit_log(old):
    """Own 1; a person set 1.5 at 10 s, the own one again at 20 s, and at 30 s what none can set any more."""
    changes = ((10, "1.5"), (20, "null"), (30, "1e-320"))
    judged = ((5, 1.0), (15, 1.5), (16, 1.8), (25, 1.2), (35, 1e-320))  # two without one light: own 1.2
    with sqlite3.connect(old / "station.sqlite") as database:
        database.execute("UPDATE models SET card = '{\"threshold\": 1.0}'")
        for at, to in changes:
            database.execute(
                "INSERT INTO audit (station, at, by, action, subject, detail) "
                "VALUES ('a', ?, 'ada', 'set threshold of', 'm@1', ?)",
                (at, f'{{"to": {to}}}'),
            )
        for at, threshold in judged:
            database.execute(
                "INSERT INTO captures (station, id, state, source, taken_at, judged_at, digest, files, bytes, verdict, "
                "light_notes, light_figures, late, score, threshold, model) "
                "VALUES ('a', ?, 'judged', 'http', ?, ?, 'd', '{}', 3, 'good', '[]', '{}', 0, 1.2, ?, 'm@1')",
                (f"at {at}", at, at, threshold),
            )
    engine = open_database(sqlite_url(old))
    newest = Statistics(engine, "a").newest("m@1")
    engine.dispose()
    own = {part.id: part.own for part in newest}
    assert own == pytest.approx({"at 25": 1.2, "at 16": 1.2, "at 15": 1.0, "at 5": 1.0})


def test_the_migration_that_needs_no_look_at_the_others_is_the_newest():
    assert ScriptDirectory.from_config(migrations()).get_heads() == [LATEST]

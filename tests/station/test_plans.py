"""What pages read of 100,000 records comes by an index: none is read whole and sorted for its newest rows."""

import time

import pytest
from sqlalchemy import event, insert, text

from afrd.station.database import open_database, sqlite_url, writing
from afrd.station.history import Filter, History
from afrd.station.statistics import Statistics
from afrd.station.tables import CaptureRow

STATION, MODEL, NOW = "a", "m@1", time.time()


def _row(k: int) -> dict:
    return {
        "station": STATION, "id": f"part-{k}", "state": "judged", "source": "http", "taken_at": NOW - 100 + k,
        "digest": "0", "files": {}, "bytes": 0, "verdict": "anomalous" if k % 9 == 0 else "good", "score": 0.5,
        "threshold": 1.0, "own_threshold": 1.0, "light_notes": [], "model": MODEL, "late": False,
        "rig_deviations": [[0.0]], "shifts": [[0.0, 0.0]], "label": "good" if k % 10 == 0 else None,
    }  # fmt: skip


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    engine = open_database(sqlite_url(tmp_path_factory.mktemp("plans")))
    with writing(engine).begin() as connection:
        connection.execute(insert(CaptureRow), [_row(k) for k in range(100)])
    return engine


@pytest.mark.parametrize(
    "read",
    [
        lambda history, _: history.page(),
        lambda history, _: history.page(before="part-50"),
        lambda history, _: history.page(Filter(verdict="good")),
        lambda history, _: history.page(Filter(label="good")),
        lambda history, _: history.page(Filter(model=MODEL)),
        lambda history, _: history.page(Filter(shown_by="top")),
        lambda history, _: history.page(Filter(since=NOW - 80, until=NOW - 20)),
        lambda history, _: history.page(Filter(since=NOW - 80, until=NOW - 20), before="part-50"),
        lambda _, statistics: statistics.newest(MODEL),
        lambda _, statistics: statistics.newest(MODEL, None, NOW),
        lambda _, statistics: statistics.rig(MODEL, 10),
        lambda _, statistics: statistics.shifts(MODEL, 10, 5),
        lambda _, statistics: statistics.to_review(),
        lambda _, statistics: statistics.next_to_review(),
    ],
    ids=[
        "newest",
        "older",
        "verdict",
        "label",
        "model",
        "light",
        "day",
        "older of a day",
        "scores",
        "scores of a day",
        "rig",
        "shifts",
        "to review",
        "next",
    ],
)
def test_nothing_is_sorted_to_find_the_newest(engine, read):
    asked = []
    listen = (engine, "before_cursor_execute", lambda *found: asked.append(found[2:4]))
    event.listen(*listen)
    read(History(engine, STATION), Statistics(engine, STATION))
    event.remove(*listen)
    with engine.connect() as connection:
        for statement, values in asked:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()
            steps = [step[3] for step in plan]
            assert not any("TEMP B-TREE" in step or step.startswith("SCAN") for step in steps), (statement, steps)
    assert asked


def test_the_pages_of_a_day_follow_each_other(engine):
    """Parts of the same moment, too: none twice, none left out."""
    with writing(engine).begin() as connection:
        connection.execute(
            insert(CaptureRow), [_row(k) | {"station": "b", "taken_at": NOW - k // 3} for k in range(20)]
        )
    history, wanted = History(engine, "b"), Filter(since=NOW - 5, until=NOW)
    every = [row.id for row in history.page(wanted)]
    assert every == [f"part-{k}" for group in range(1, 6) for k in reversed(range(3 * group, 3 * group + 3))]
    found, before = [], None
    while rows := history.page(wanted, 4, before):
        found += [row.id for row in rows]
        before = found[-1]
    assert found == every


def test_the_check_sees_a_query_without_an_index(engine):
    with engine.connect() as connection:
        sorted_by_score = text("EXPLAIN QUERY PLAN SELECT id FROM captures WHERE station = 'a' ORDER BY score LIMIT 5")
        assert any("TEMP B-TREE" in step[3] for step in connection.execute(sorted_by_score))

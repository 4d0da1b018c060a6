"""Images go by age and space, good parts first, never a reviewed one; a full disk stops no verdict."""

import resource
import time
from itertools import cycle

import pytest

from afrd.station.config import Retention
from afrd.station.database import open_database, sqlite_url
from afrd.station.page import _templates
from afrd.station.retention import Keeper
from afrd.station.store import Store
from stored_parts import NOW, kept, put


@pytest.fixture
def store(tmp_path):
    return Store(open_database(sqlite_url(tmp_path)), tmp_path, "station")


def test_by_age_each_verdict_its_own_and_never_a_reviewed_one(store):
    for id, verdict, days, label in (
        ("new good", "good", 5, None),
        ("old good", "good", 40, None),
        ("old good reviewed", "good", 40, "good"),
        ("old bad", "anomalous", 40, None),
        ("very old bad", "anomalous", 95, None),
        ("very old failed", None, 95, None),
        ("very old bad reviewed", "anomalous", 95, "defect"),
    ):
        put(store, id, verdict, days, label)
    keeper = Keeper(store, Retention(good_days=30, other_days=90))
    assert keeper.clean(NOW) == 3
    assert kept(store) == {"new good", "old good reviewed", "old bad", "very old bad reviewed"}
    assert keeper.clean(NOW) == 0
    assert store.find("old good").verdict == "good"


def test_by_space_good_parts_go_first_the_oldest_first(store, monkeypatch):
    monkeypatch.setattr("afrd.station.retention._BATCH", 1)
    for k in range(10):
        put(store, f"{k}", "anomalous" if k % 2 else "good", 50 - k)
    keeper = Keeper(store, Retention(gigabytes=0.008))
    keeper.clean(NOW)
    assert kept(store) == {"1", "3", "5", "6", "7", "8", "9"}
    Keeper(store, Retention(gigabytes=0.003)).clean(NOW)
    assert kept(store) == {"7", "9"}


def test_a_part_whose_images_went_is_shown_without_them(store):
    put(store, "old good", "good", 40)
    Keeper(store, Retention(good_days=30)).clean(NOW)
    viewer = '{% import "parts.html" as parts with context %}{{ parts.viewer(row) }}'
    text = _templates.from_string(viewer).render(row=store.find("old good"))
    assert "The images of this part are not stored" in text
    assert "<img" not in text


def test_a_full_disk_is_announced_and_verdicts_go_on(artefact, serve, parts):
    """The process may write no file larger than 1 kB for a while, which is what writing to a full disk looks like."""
    station = serve(artefact)
    station.post(parts[0], "before").raise_for_status()
    station.client.post("/api/captures/before/review", json={"label": "good"}).raise_for_status()
    _, hard = resource.prlimit(station.process.pid, resource.RLIMIT_FSIZE, (1000, -1))
    for k in range(3):
        answer = station.post(parts[k], f"full-{k}")
        assert answer.status_code == 200, answer.text
        assert answer.json()["verdict"] in ("good", "anomalous")
    health = station.health()
    assert health["status"] == "degraded"
    assert any("cannot be stored" in problem for problem in health["problems"])
    review = station.client.post("/api/captures/before/review", json={"label": "good"})
    assert (review.status_code, "nothing was done: the disk of" in review.json()["detail"]) == (503, True)
    threshold = station.client.post("/threshold", data={"threshold": "1", "reason": "to try"})
    assert (threshold.status_code, "nothing was done: the disk of" in threshold.text) == (503, True)
    assert station.client.get("/history/export.zip").status_code == 503  # and no ZIP that breaks off
    assert "Traceback" not in station.log.read_text()
    resource.prlimit(station.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
    deadline, others = time.monotonic() + 60, cycle(parts)
    while station.health()["status"] != "ok" and time.monotonic() < deadline:
        station.post(next(others)).raise_for_status()
    assert station.health()["status"] == "ok"
    station.post(parts[1], "after").raise_for_status()
    station.client.post("/api/captures/before/review", json={"label": "good"}).raise_for_status()
    assert {"before", "after"} <= {each["id"] for each in station.client.get("/api/captures").json()}
    assert "verdicts go on" in station.log.read_text()
    assert list((station.data / "incoming").iterdir()) == []

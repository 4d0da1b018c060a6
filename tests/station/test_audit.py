"""The audit log: each change in the transaction that makes it, and all of it to take away."""

import csv
import io
import json

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from afrd.station.config import Retention, StationConfig
from afrd.station.database import writing
from afrd.station.retention import Keeper
from afrd.station.service import Service
from afrd.station.tables import AuditRow
from stored_parts import NOW, put


def audit(store) -> list[AuditRow]:
    with Session(store.engine, expire_on_commit=False) as session:
        return list(session.scalars(select(AuditRow).order_by(AuditRow.number)))


def without_audit(store) -> None:
    """A disk that is full just between the change and its line in the log fails the same way."""
    with writing(store.engine).begin() as connection:
        connection.execute(text("DROP TABLE audit"))


def test_a_review_and_its_line_are_one_change(store):
    put(store, "part", "anomalous", 1)
    store.review("part", "defect", "dent", "ada")
    assert [(row.by, row.action, row.subject) for row in audit(store)] == [("ada", "reviewed", "part")]
    assert audit(store)[0].detail == {"label": "defect", "type": "dent"}
    without_audit(store)
    with pytest.raises(SQLAlchemyError):
        store.review("part", "good", None, "otto")
    assert store.find("part").label == "defect"


def test_images_removed_by_retention_are_one_line_a_day(store):
    for k in range(5):
        put(store, f"part-{k}", "good", 40)
    keeper = Keeper(store, Retention(good_days=30))
    assert keeper.clean(NOW) == 5
    put(store, "later", "good", 40)
    assert keeper.clean(NOW) == 1
    (line,) = audit(store)
    assert (line.by, line.action, line.detail) == ("station", "removed images of old parts", {"parts": 6})
    put(store, "last", "good", 40)
    without_audit(store)
    with pytest.raises(SQLAlchemyError):
        keeper.clean(NOW)
    assert store.find("last").folder


def test_a_job_that_cannot_be_put_on_record_does_not_begin(artefact, tmp_path):
    service = Service(StationConfig(model=artefact, data=tmp_path / "data", training=artefact.parent / "data"))
    without_audit(service.store)
    with pytest.raises(SQLAlchemyError):
        service.learning.train("ada")
    assert service.learning.jobs.newest is None
    service.engine.dispose()


def test_all_of_it_can_be_taken_away(artefact, serve, parts):
    station = serve(artefact)
    for k in range(25):
        station.post(parts[k % 12], f"part-{k}").raise_for_status()
        review = {"label": "defect", "defect_type": "dent"} if k % 2 else {"label": "good"}
        station.client.post(f"/api/captures/part-{k}/review", json=review).raise_for_status()
    station.client.post("/threshold", data={"threshold": "1", "reason": "=1+1"})
    assert 'href="/audit.csv"' in station.client.get("/models").text
    answer = station.client.get("/audit.csv").raise_for_status()
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="station-audit.csv"'
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert [line["subject"] for line in lines if line["action"] == "reviewed"] == [f"part-{k}" for k in range(25)]
    assert lines[0]["action"] == "activated model of the station file" and lines[0]["at"].endswith("Z")
    assert json.loads(lines[2]["detail"]) == {"label": "defect", "type": "dent"}
    assert lines[-1]["action"] == "set threshold of" and json.loads(lines[-1]["detail"])["because"] == "=1+1"

"""Days, and records from before that hold what is refused today."""

import io
import time

import numpy as np
import pytest
import tifffile
from fastapi import HTTPException
from sqlalchemy.orm import Session

from afrd.station.charts import scores_svg
from afrd.station.config import Limits
from afrd.station.database import open_database, sqlite_url
from afrd.station.history import Filter
from afrd.station.intake import Intake
from afrd.station.pages import wanted_by
from afrd.station.records import answer
from afrd.station.refusals import Refused
from afrd.station.statistics import Statistics
from afrd.station.tables import CaptureRow


@pytest.fixture
def clocks(monkeypatch):
    """Those of Central Europe: a day of March has 23 hours, one of October 25."""
    with monkeypatch.context() as here:
        here.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-07-01", 24)])
def test_a_day_ends_at_the_next_local_midnight(clocks, day, hours):
    found = wanted_by(day=day)
    assert found.until - found.since == hours * 3600
    assert time.strftime("%Y-%m-%d %H:%M", time.localtime(found.since)) == f"{day} 00:00"
    assert time.strftime("%H:%M", time.localtime(found.until)) == "00:00"
    span = wanted_by(day=day, last_day="2199-12-31")
    assert (span.since, span.until) == (found.since, wanted_by(day="2199-12-31").until)
    assert wanted_by(last_day=day) == Filter(until=found.until)


def test_the_last_day_of_the_calendar_has_no_end(clocks):
    found = wanted_by(day="9999-12-31")
    assert found.until is None and found.since > 2e11
    with pytest.raises(HTTPException, match="expected a day"):
        wanted_by(day="10000-01-01")


def captured(id: str, score: float, threshold: float) -> CaptureRow:
    """A part that a model judged."""
    return CaptureRow(
        station="cell",
        id=id,
        state="judged",
        source="http",
        taken_at=0.0,
        digest="",
        files={},
        bytes=0,
        verdict="good",
        score=score,
        threshold=threshold,
        light_notes=[],
        model="a@1",
        late=False,
    )


def test_thresholds_on_record_that_no_person_could_set_leave_the_charts_whole(tmp_path):
    engine = open_database(sqlite_url(tmp_path))
    with Session(engine) as session:
        session.add_all(captured(f"{k}", 0.5, each) for k, each in enumerate((1.0, 1e-320, float("inf"), 1e308)))
        session.commit()
    shares = Statistics(engine, "cell").shares("a@1")
    engine.dispose()
    assert shares == [0.5, 0.0, 0.5 / 1e308]
    assert "nan" not in scores_svg(shares) and "inf" not in scores_svg(shares)


def test_an_infinite_threshold_on_record_is_answered_as_none():
    assert answer(captured("a", 0.5, float("inf")))["threshold"] is None
    assert answer(captured("a", 0.5, 0.25))["threshold"] == 0.25


def test_a_tiff_whose_width_is_no_number_is_damaged():
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, np.zeros((64, 64), np.uint8), photometric="minisblack")
    with tifffile.TiffFile(io.BytesIO(buffer.getvalue())) as file:
        at = file.pages[0].tags["ImageWidth"].offset
    for kind, count in ((1, 1), (1, 2), (3, 2)):  # bytes, and two numbers
        content = bytearray(buffer.getvalue())
        content[at + 2 : at + 8] = kind.to_bytes(2, "little") + count.to_bytes(4, "little")
        with pytest.raises(Refused, match="left: truncated or damaged TIFF") as refused:
            Intake(("left",), Limits()).take({"left": bytes(content)}, None, "http", 0.0)
        assert refused.value.status == 422

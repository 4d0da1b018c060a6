"""The page that stays open at the line: it never shows an old verdict as if it were of now."""

import resource
import signal
import time

import pytest
import yaml
from sqlalchemy import insert

from afrd.station.database import open_database, sqlite_url, writing
from afrd.station.tables import CaptureRow
from browser import TABLET, needs_browser, tab
from station_process import StationProcess

pytestmark = needs_browser


@pytest.fixture
def station(artefact, tmp_path, parts):
    """Watches a folder, and has judged one part."""
    file = tmp_path / "station.yaml"
    drop = {"kind": "folder", "name": "drop", "path": "drop", "pattern": "{id}/{light}.*"}
    file.write_text(yaml.safe_dump({"model": str(artefact), "sources": [drop]}))
    station = StationProcess(file, tmp_path / "data")
    station.post(parts[0], "first").raise_for_status()
    yield station
    station.kill()


@pytest.fixture
def page(chromium, station):
    """Live, open."""
    page = tab(chromium, station.url, viewport=TABLET)
    page.goto("/live")
    page.wait_for_selector("#live .banner")
    yield page
    page.context.close()


def test_a_problem_reaches_an_open_page_without_a_new_part_and_leaves_it(page, station):
    assert page.locator(".problem").count() == 0
    stray = station.data / "drop" / "no-such-light.png"
    stray.write_bytes(b"x")
    page.wait_for_selector("#live .problem:has-text('source drop')")
    assert page.inner_text("#live a") == "first"
    stray.unlink()
    page.wait_for_selector("#live .problem", state="detached")


def test_a_verdict_is_hidden_while_the_station_does_not_answer(page, station):
    verdict = page.inner_text("#live .banner")
    station.process.send_signal(signal.SIGSTOP)  # takes connections and answers nothing
    page.wait_for_selector("text=no connection")
    assert not page.is_visible("#live")
    station.process.send_signal(signal.SIGCONT)
    page.wait_for_selector("#live .banner")
    assert page.inner_text(".banner:visible") == verdict
    station.kill()
    page.wait_for_selector("text=no connection")
    assert not page.is_visible("#live")


def test_a_line_that_is_faster_than_the_page_is_not_taken_for_lost(page, station, parts):
    """A new part at every look, so that no answer says that nothing is new."""
    for number in range(24):
        station.post(parts[number % 3], f"fast-{number}").raise_for_status()
        page.wait_for_timeout(300)
        assert not page.is_visible("[data-lost]")
    assert page.is_visible("#live .banner")


def test_what_a_page_refuses_hides_no_refused_part(page, station, parts):
    assert station.client.post("/api/captures", files={}).status_code in (415, 422)
    page.wait_for_selector("#live p:has-text('refused')")
    told = page.inner_text("#live p:has-text('refused')")
    assert station.client.get("/history", params={"day": "yesterday"}).status_code == 422
    assert station.post(parts[1], "another").status_code == 200
    page.wait_for_selector("#live a:text-is('another')")
    assert page.inner_text("#live p:has-text('refused')") == told


def test_a_verdict_is_not_current_while_newer_ones_are_not_on_record(page, station, parts):
    """The process may write no file larger than 1 kB: as on a full disk, its database takes nothing."""
    _, hard = resource.prlimit(station.process.pid, resource.RLIMIT_FSIZE, (1000, -1))
    assert station.post(parts[2], "second").json()["verdict"] in ("good", "anomalous")
    page.wait_for_selector(".banner:text-is('not current')")
    assert "cannot be stored" in page.inner_text("#live .problem")
    assert page.inner_text("#live a") == "first"
    resource.prlimit(station.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
    station.post(parts[1], "third").raise_for_status()
    page.wait_for_selector("#live a:text-is('third')")
    page.wait_for_selector(".banner:text-is('not current')", state="detached")


def test_a_light_that_moved_is_told(page, station, parts):
    """Fifty captures whose lights lay alike, and thirty in which one lies two pixels aside."""
    model = station.health()["model"]
    rows = [
        {
            "station": "station", "id": f"part-{k}", "state": "judged", "source": "http", "taken_at": time.time(),
            "digest": "", "files": {}, "bytes": 0, "light_notes": [], "late": False, "verdict": "good", "score": 0.5,
            "threshold": 1.0, "model": model, "shifts": [[0, 0], [0.05 * (k % 3) + 2 * (k >= 50), 0], [0, 0]],
        }
        for k in range(80)
    ]  # fmt: skip
    engine = open_database(sqlite_url(station.data))
    with writing(engine).begin() as connection:
        connection.execute(insert(CaptureRow), rows)
    engine.dispose()
    page.wait_for_selector("#live .notes:has-text('light right, x: +1.9 px from where it lay')")
    assert "light right, x: +1.9 px" in station.client.get("/rig").text

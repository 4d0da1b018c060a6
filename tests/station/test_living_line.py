"""`make station`: captures are rendered and learned, and parts flow into a station."""

import sqlite3
import subprocess
import sys

import pytest

from station_process import free_port


@pytest.mark.slow
def test_parts_flow_in_and_are_judged_and_the_station_ends_in_order(tmp_path):
    command = [sys.executable, "-m", "afrd.station.demo", "--out", str(tmp_path), "--port", str(free_port())]
    done = subprocess.run([*command, "--parts", "2", "--pause", "0"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "/live in a browser" in done.stdout
    with sqlite3.connect(tmp_path / "station" / "station.sqlite") as database:
        found = database.execute("SELECT state, score FROM captures").fetchall()
    assert len(found) == 2 and all(state == "judged" and score > 0 for state, score in found)

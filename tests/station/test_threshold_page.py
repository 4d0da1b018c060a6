"""What another threshold would have made of the past day, over all parts of it."""

import time

from sqlalchemy import insert

from afrd.station.database import open_database, sqlite_url, writing
from afrd.station.tables import CaptureRow


def test_all_parts_of_the_past_day_are_compared_however_many(artefact, serve, parts):
    station = serve(artefact)
    station.post(parts[0], "first").raise_for_status()
    now, model = time.time(), station.health()["model"]
    rows = [
        {
            "station": "station", "id": f"part-{k}", "state": "judged", "source": "http", "taken_at": taken_at,
            "digest": "", "files": {}, "bytes": 0, "light_notes": [], "late": False, "verdict": "anomalous",
            "score": 2.0, "threshold": 1.0, "own_threshold": 1.0, "model": model,
        }
        for k, taken_at in enumerate([now - 2 * 86400] * 10 + [now - 3600] * 6000)
    ]  # fmt: skip
    engine = open_database(sqlite_url(station.data))
    with writing(engine).begin() as connection:
        connection.execute(insert(CaptureRow), rows)
    engine.dispose()
    own = station.client.get("/api/captures/first").json()["threshold"]
    page = station.client.get("/threshold", params={"at": 10 * own}).text
    assert "over the 6001 parts of the past day" in page
    assert "stopped, would pass</th><td>6000</td>" in page

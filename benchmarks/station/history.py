"""Pages of a station that has judged 100,000 parts: `python -m benchmarks.station.history`.

Wall time of a request, and the processor time of the station for it, which a busy neighbour does not lengthen. The
parts have reviews, shifts, and the opinions of a second version, but no images on the disk.
"""

import argparse
import random
import time
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import psutil
from benchmarks.station.models import model, write
from sqlalchemy import insert, select

from afrd.station.database import open_database, sqlite_url, writing
from afrd.station.tables import CaptureRow, ModelRow, OpinionRow, ReviewRow
from station_process import StationProcess

PAGES = (
    "live", "history", "history?verdict=anomalous", "history?label=defect", f"history?day={date.today()}",
    "history?shown_by=top", "history?score_from=1.2", "review", "threshold", "models", "models/1", "models/2", "rig",
)  # fmt: skip
BESIDE = "beside@1"  # a version that has an opinion of every part


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", type=int, default=100_000)
    parser.add_argument("--model", type=Path, help="run folder or artefact [default: learnt now]")
    options = parser.parse_args()
    with TemporaryDirectory() as temporary:
        data = Path(temporary) / "data"
        run = options.model or model(Path(temporary), 3, 64)
        station = StationProcess(run, data)
        name = station.health()["model"]
        station.end()
        _fill(data, options.parts, name)
        station = StationProcess(run, data)
        first = station.client.get("/api/captures", params={"limit": 1}).json()[0]["id"]
        pages = {page: _timed(station, f"/{page}") for page in (*PAGES, f"parts/{first}")}
        middle = f"part-{options.parts // 2}"
        pages["history, half-way"] = _timed(station, f"/history?before={middle}")
        station.kill()
    write({"parts": options.parts, "milliseconds": pages, "start_seconds": round(station.start_seconds, 2)})


def _fill(data: Path, parts: int, model_name: str) -> None:
    rng, now = random.Random(0), time.time()
    rows = []
    for k in range(parts):
        score = rng.gauss(0.6, 0.2)
        verdict = "anomalous" if score > 1 else "good"
        rows.append(
            {
                "station": "station", "id": f"part-{k}", "state": "judged", "source": "http",
                "taken_at": now - 2 * (parts - k), "judged_at": now - 2 * (parts - k), "digest": "0" * 64,
                "folder": None, "files": {"left": "00.png", "right": "01.png", "top": "02.png"}, "bytes": 0,
                "verdict": verdict, "score": score, "threshold": 1.0, "own_threshold": 1.0,
                "shown_by": "top" if score > 1 else None, "light_evidence": {"left": 0.2, "right": 0.2, "top": 0.6},
                "light_notes": [], "model": model_name, "seconds": 0.1, "inspection_seconds": 0.08, "late": False,
                "rig_deviations": [[rng.gauss(0, 0.01) for _ in range(4)] for _ in range(5)],
                "shifts": [[rng.gauss(0, 0.1), rng.gauss(0, 0.1)] for _ in range(3)] if k % 10 == 0 else None,
                "label": rng.choice(["good", "defect"]) if rng.random() < 0.02 else None,
            }
        )  # fmt: skip
    with writing(open_database(sqlite_url(data))).begin() as connection:
        connection.execute(insert(CaptureRow), rows)
        (first,) = connection.execute(select(ModelRow.__table__)).mappings()
        version = {name: first[name] for name in first if name != "number"}
        connection.execute(insert(ModelRow), version | {"name": BESIDE, "activated_at": None})
        found = connection.execute(select(CaptureRow.number, CaptureRow.score, CaptureRow.label)).all()
        own = {"model": BESIDE, "at": now, "threshold": 1.0}
        opinions = [
            own | {"capture": number, "score": score * 1.05, "verdict": "anomalous" if score * 1.05 > 1 else "good"}
            for number, score, _ in found
        ]
        connection.execute(insert(OpinionRow), opinions)
        said = [{"capture": number, "at": now, "by": "ada", "label": label} for number, _, label in found if label]
        connection.execute(insert(ReviewRow), said)


def _timed(station: StationProcess, page: str) -> dict[str, float]:
    times, process = [], psutil.Process(station.process.pid)
    before = sum(process.cpu_times()[:2])
    for _ in range(20):
        began = time.perf_counter()
        station.client.get(page).raise_for_status()
        times.append(1000 * (time.perf_counter() - began))
    used = 1000 * (sum(process.cpu_times()[:2]) - before) / len(times)
    return {"p50": round(float(np.median(times)), 1), "longest": round(max(times), 1), "processor": round(used, 1)}


if __name__ == "__main__":
    main()

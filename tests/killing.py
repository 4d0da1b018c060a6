"""Kill a station at random moments under load, start it again, and hold its records against what it had answered."""

import random
import sqlite3
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from station_process import StationProcess


@dataclass(frozen=True)
class Round:
    """answered: before the kill. in_work: sent and not answered. start_seconds: of the start after it."""

    answered: int
    in_work: int
    recovered: int
    start_seconds: float
    problems: list[str]


class Load:
    """Clients that send one capture after the other and note what they were answered."""

    def __init__(self, url: str, parts: list[dict[str, bytes]], name: str, clients: int = 3) -> None:
        self.url, self.parts, self.name = url, parts, name
        self.answers: dict[str, dict] = {}
        self.sent: dict[str, int] = {}
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._send, args=(k,), daemon=True) for k in range(clients)]
        for thread in self._threads:
            thread.start()

    def _send(self, client: int) -> None:
        with httpx.Client(base_url=self.url, timeout=60) as http:
            for k in range(100_000):
                id, part = f"{self.name}-{client}-{k}", (client + 5 * k) % len(self.parts)
                with self._lock:
                    self.sent[id] = part
                try:
                    files = {light: ("image", content) for light, content in self.parts[part].items()}
                    answer = http.post("/api/captures", files=files, data={"id": id})
                except httpx.HTTPError:
                    return  # the station was killed
                with self._lock:
                    if answer.status_code == 200:
                        self.answers[id] = answer.json()
                    else:
                        del self.sent[id]

    def join(self) -> None:
        """Until every client has noticed that the station is gone."""
        for thread in self._threads:
            thread.join(120)


def killed_under_load(
    model: Path, parts: list[dict[str, bytes]], data: Path, *, kills: int, seed: int, seconds: float = 1.5
) -> list[Round]:
    """seconds: the longest time under load before a kill; the shortest is none. seed: of the moments."""
    rng = random.Random(seed)
    answers: dict[str, dict] = {}
    sent: dict[str, int] = {}
    whole: set[str] = set()
    rounds = []
    station = StationProcess(model, data)
    for number in range(kills):
        load = Load(station.url, parts, f"round-{number}")
        if number == 0:
            while not load.answers:  # one at least is answered, whatever the machine does
                time.sleep(0.01)
        time.sleep(rng.uniform(0, seconds))
        station.kill()
        load.join()
        answers |= load.answers
        sent |= load.sent
        problems = _damage(data)
        station = StationProcess(model, data)
        while station.health()["queue"]:
            time.sleep(0.05)
        if number == kills - 1:
            whole.clear()  # at the end all once more
        shown, more = _compare(station, parts, answers, sent, whole)
        recovered = sum("restart" in (record["note"] or "") for record in shown.values())
        in_work = len(load.sent) - len(load.answers)
        rounds.append(Round(len(load.answers), in_work, recovered, station.start_seconds, problems + more))
    station.kill()
    return rounds


def _damage(data: Path) -> list[str]:
    with sqlite3.connect(data / "station.sqlite") as database:
        checked = database.execute("PRAGMA integrity_check").fetchone()[0]
    return [] if checked == "ok" else [f"integrity check: {checked}"]


def _compare(
    station: StationProcess,
    parts: list[dict[str, bytes]],
    answers: dict[str, dict],
    sent: dict[str, int],
    whole: set[str],
) -> tuple[dict[str, dict], list[str]]:
    """Every record that is shown, and what is wrong with them. whole: ids whose files were looked at before."""
    problems: list[str] = []
    shown: dict[str, dict] = {}
    page = station.client.get("/api/captures", params={"limit": 1000}).json()
    while page:
        shown |= {record["id"]: record for record in page}
        page = station.client.get("/api/captures", params={"limit": 1000, "before": page[-1]["id"]}).json()
    problems += [f"{id}: answered, and not on record" for id in answers.keys() - shown.keys()]
    problems += [f"{id}: on record, and never sent" for id in shown.keys() - sent.keys()]
    for id, record in shown.items():
        if id in answers and {name: record[name] for name in answers[id]} != answers[id]:
            problems.append(f"{id}: answered {answers[id]}, on record {record}")
        if record["verdict"] == "not judged" or record["score"] is None:
            problems.append(f"{id}: taken, its images are whole, and it was not judged")
        if id in whole:
            continue
        whole.add(id)
        for light, content in parts[sent.get(id, 0)].items():
            if station.client.get(f"/api/captures/{id}/lights/{light}.png").content != content:
                problems.append(f"{id}: light {light} is not what was sent")
        if station.client.get(f"/api/captures/{id}/map.png").status_code != 200:
            problems.append(f"{id}: no map")
    left = [path.name for path in (station.data / "incoming").iterdir()]
    return shown, problems + [f"left in incoming: {name}" for name in left]

"""More captures than a station can judge, for a while: what it answered, held against its records and the right scores.

The clients send at a fixed rate, whatever the answers. Memory is read every second; "flat" compares the last tenth with
the second tenth.
"""

import threading
import time
from collections import Counter
from typing import Any, Protocol

import httpx
import numpy as np
import psutil

from station_process import StationProcess

CLIENTS = 16


def capacity(station: StationProcess, files: list[dict[str, bytes]], captures: int = 20) -> float:
    """Captures a second, by one client."""
    began = time.monotonic()
    for k in range(captures):
        station.post(files[k % len(files)]).raise_for_status()
    return captures / (time.monotonic() - began)


class Right(Protocol):
    """What a part is to be answered, as `Inspector.inspect` finds it."""

    verdict: str
    score: float


def flood(
    station: StationProcess, files: list[dict[str, bytes]], expected: list[Right], rate: float, seconds: float
) -> dict[str, Any]:
    """files: of each part. rate: captures sent a second, by `CLIENTS` clients together.

    Answers by status, requests without one by the name of what was raised instead.
    """
    statuses: Counter = Counter()
    wrong: list[str] = []
    answered: dict[str, dict] = {}
    lock = threading.Lock()
    ending = time.monotonic() + seconds

    def send(client: int) -> None:
        with httpx.Client(base_url=station.url, timeout=120) as http:
            number = 0
            while time.monotonic() < ending:
                part, id = (client + number) % len(files), f"load-{client}-{number}"
                number += 1
                began = time.monotonic()
                named = {light: (light, content) for light, content in files[part].items()}
                try:
                    answer = http.post("/api/captures", files=named, data={"id": id})
                    status = str(answer.status_code)
                except httpx.HTTPError as error:
                    status = type(error).__name__
                with lock:
                    statuses[status] += 1
                    if status == "200":
                        answered[id] = answer.json()
                        if not _is_right(answer.json(), expected[part]):
                            wrong.append(id)
                time.sleep(max(0, CLIENTS / rate - (time.monotonic() - began)))

    threads = [threading.Thread(target=send, args=(k,)) for k in range(CLIENTS)]
    for thread in threads:
        thread.start()
    process, memory = psutil.Process(station.process.pid), []
    while any(thread.is_alive() for thread in threads):
        memory.append(process.memory_info().rss / 1e6)
        time.sleep(1)
    lost = []
    for id, answer in answered.items():
        record = station.client.get(f"/api/captures/{id}")
        if record.status_code != 200 or any(record.json()[name] != value for name, value in answer.items()):
            lost.append(id)
    tenth = max(1, len(memory) // 10)
    early, late = float(np.mean(memory[tenth : 2 * tenth])), float(np.mean(memory[-tenth:]))
    return {
        "asked_a_second": round(rate, 2),
        "answers": dict(sorted(statuses.items())),
        "wrong_answers": wrong,
        "lost_records": lost,
        "memory_mb": {"early": round(early), "late": round(late), "most": round(max(memory))},
        "memory_growth": round(late / early - 1, 4),
    }


def _is_right(answer: dict[str, Any], right: Right) -> bool:
    return answer["verdict"] == right.verdict and abs(answer["score"] - right.score) <= 1e-3 * right.score

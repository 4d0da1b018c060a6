"""More captures than a station can judge, for a while: what it answered, held against its records and the right scores.

The clients send at a fixed rate, whatever the answers. Memory is read every second; "flat" compares the last tenth with
the second tenth.
"""

import threading
import time
from collections import Counter
from typing import Any

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


def flood(
    station: StationProcess, files: list[dict[str, bytes]], expected: list[float], rate: float, seconds: float
) -> dict[str, Any]:
    """files: of each part; expected: its score. rate: captures sent a second, by `CLIENTS` clients together."""
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
                answer = http.post("/api/captures", files=named, data={"id": id})
                with lock:
                    statuses[answer.status_code] += 1
                    if answer.status_code == 200:
                        answered[id] = answer.json()
                        if abs(answer.json()["score"] - expected[part]) > 1e-3 * expected[part]:
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
        "answers": {str(status): count for status, count in sorted(statuses.items())},
        "wrong_answers": wrong,
        "lost_records": lost,
        "memory_mb": {"early": round(early), "late": round(late), "most": round(max(memory))},
        "memory_growth": round(late / early - 1, 4),
    }

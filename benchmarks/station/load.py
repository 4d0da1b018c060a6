"""Twice the capacity for a while: `python -m benchmarks.station.load --minutes 60`.

Capacity is measured first, with one client. Then clients send at twice that rate, whatever the answers; those that are
answered 503 are counted. Memory is read every second; "flat" compares the last tenth with the second tenth.
"""

import argparse
import threading
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import numpy as np
import psutil
from benchmarks.station.models import model, parts, write

from afrd.datasets.images import decode
from afrd.inspector import Inspector
from station_process import StationProcess


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--lights", type=int, default=6)
    parser.add_argument("--size", type=int, default=256)
    options = parser.parse_args()
    with TemporaryDirectory() as temporary:
        run = model(Path(temporary), options.lights, options.size)
        _, files = parts(12, options.lights, options.size)
        inspector = Inspector.load(run)
        expected = [inspector.inspect(np.stack([decode(c, Path(n)) for n, c in each.items()])).score for each in files]
        station = StationProcess(run, Path(temporary) / "data")
        began = time.monotonic()
        for k in range(20):
            station.post(files[k % len(files)]).raise_for_status()
        capacity = 20 / (time.monotonic() - began)
        result = _flood(station, files, expected, 2 * capacity, options.minutes * 60)
        station.kill()
    write({"lights": options.lights, "size": options.size, "minutes": options.minutes, "capacity": capacity} | result)


def _flood(station: StationProcess, files: list, expected: list[float], rate: float, seconds: float) -> dict:
    statuses: Counter = Counter()
    wrong: list[str] = []
    answered: dict[str, dict] = {}
    lock = threading.Lock()
    ending = time.monotonic() + seconds
    clients = 16

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
                time.sleep(max(0, clients / rate - (time.monotonic() - began)))

    threads = [threading.Thread(target=send, args=(k,)) for k in range(clients)]
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


if __name__ == "__main__":
    main()

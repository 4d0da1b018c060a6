"""Peers of a station go away, hang and come back while parts go on: what arrives, and how long answers take."""

import asyncio
import json
import socket
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from receivers import SECRET, Broker, Receiver, Silent, Subscriber
from sinks import listens, unique, until
from station_process import StationProcess, free_port

LISTENER = "listener"


def away(served: Path, files: list[dict[str, bytes]], folder: Path, seconds: float, rate: float) -> dict[str, Any]:
    """seconds: of each phase. rate: parts a second, at most.

    "no sink": a station that tells nobody; then one with webhook, broker and OPC UA server, whose peers are there, away
    (nothing listens), silent (they take connections and say nothing), and back. Returns milliseconds of `POST` for each
    phase, and for each peer which answers are missing or came out of order, and how many came again.
    """
    times: dict[str, dict[str, float]] = {}
    ids: list[str] = []
    plain = StationProcess(served, folder / "plain")
    _phase(plain, files, "warm", min(2, seconds), rate)
    times["no sink"] = _spread(_phase(plain, files, "none", seconds, rate))
    plain.kill()

    web, mqtt, opcua = (free_port() for _ in range(3))
    endpoint, file = f"opc.tcp://127.0.0.1:{opcua}/afrd/", folder / "station.yaml"
    file.write_text(
        yaml.safe_dump(
            {
                "station": "cell-3",
                "model": str(served),
                "sinks": [
                    {"kind": "webhook", "name": "mes", "url": f"http://127.0.0.1:{web}/", "secret_env": "MES_SECRET"},
                    {"kind": "mqtt", "name": "broker", "host": "127.0.0.1", "port": mqtt, "topic": "cell-3"},
                    {"kind": "opcua", "name": "scada", "endpoint": endpoint},
                ],
            }
        )
    )
    receiver, broker = Receiver(web), Broker(folder / "broker", mqtt)
    subscriber = Subscriber(mqtt, LISTENER)
    station = StationProcess(file, folder / "data", env={"MES_SECRET": SECRET})
    until(lambda: listens(opcua))

    def phase(name: str) -> None:
        spent = _phase(station, files, name, seconds, rate)
        times[name] = _spread(spent)
        ids.extend(f"{name}-{k}" for k in range(len(spent)))

    phase("there")
    until(lambda: {*unique(receiver.messages)} & {*unique(subscriber.results)} >= {*ids})
    receiver.close()
    subscriber.close()
    broker.end()
    phase("away")
    silent = [Silent(web), Silent(mqtt)]
    client = socket.create_connection(("127.0.0.1", opcua))
    until(lambda: all(each.taken for each in silent))
    phase("silent")
    client.close()
    for each in silent:
        each.close()
    again, broker = Receiver(web), Broker(folder / "broker", mqtt)
    listener, began = Subscriber(mqtt, LISTENER), time.monotonic()
    phase("back")
    arrived = {"webhook": receiver.messages + again.messages, "mqtt": subscriber.results + listener.results}
    while (
        any({*ids} - {*unique(messages)} for messages in arrived.values())
        and time.monotonic() - began < 10 * seconds + 60
    ):
        time.sleep(0.1)
        arrived = {"webhook": receiver.messages + again.messages, "mqtt": subscriber.results + listener.results}
    caught_up = time.monotonic() - began
    arrived["opcua"] = asyncio.run(_results(endpoint))
    problems = station.health()["problems"]
    station.kill()
    listener.close()
    broker.end()
    again.close()
    return {
        "parts": len(ids),
        "post_ms": times,
        "peers": {name: _held_against(ids, messages) for name, messages in arrived.items()},
        "all_there_after_seconds": round(caught_up, 1),
        "problems_at_the_end": problems,
    }


def _phase(
    station: StationProcess, files: list[dict[str, bytes]], name: str, seconds: float, rate: float
) -> list[float]:
    """Seconds that each answer took."""
    spent: list[float] = []
    ending = time.monotonic() + seconds
    while (began := time.monotonic()) < ending or not spent:
        station.post(files[len(spent) % len(files)], f"{name}-{len(spent)}").raise_for_status()
        spent.append(time.monotonic() - began)
        time.sleep(max(0, 1 / rate - spent[-1]))
    return spent


def _spread(seconds: list[float]) -> dict[str, float]:
    return {f"p{q}": round(1000 * float(np.percentile(seconds, q)), 1) for q in (50, 99)}


def _held_against(ids: list[str], messages: list[dict]) -> dict[str, Any]:
    came = unique(messages)
    return {
        "missing": [id for id in ids if id not in set(came)],
        "in_order": [id for id in came if id in set(ids)] == [id for id in ids if id in set(came)],
        "again": len(messages) - len(came),
    }


async def _results(endpoint: str) -> list[dict]:
    from asyncua import Client

    async with Client(endpoint) as client:
        space = await client.get_namespace_index("urn:afrd:station")
        system = await client.nodes.objects.get_child(f"{space}:VisionSystem")
        return [json.loads(each) for each in await (await system.get_child(f"{space}:Results")).read_value()]

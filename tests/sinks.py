"""What tests of sinks share: a station with one, and waiting for what arrives."""

import socket
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from station_process import StationProcess


def listens(port: int) -> bool:
    """Whether somebody does on this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def start(serve, artefact: Path, tmp_path: Path, sink: dict) -> StationProcess:
    """A station with one sink."""
    file = tmp_path / "station.yaml"
    file.write_text(yaml.safe_dump({"station": "cell-3", "model": str(artefact), "sinks": [sink]}))
    return serve(file)


def until(condition: Callable[[], object]) -> None:
    """Wait for something another process does."""
    while not condition():
        time.sleep(0.05)


def unique(messages: list[dict]) -> list[str]:
    """Ids in order, duplicates (at least once) aside."""
    return list(dict.fromkeys(message["id"] for message in messages))

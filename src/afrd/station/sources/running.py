"""The sources of one station, started and stopped with it; each may fail and is tried again."""

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from afrd.station.sources.config import FolderConfig, SourceConfig
from afrd.station.sources.folder import WatchedFolder

_log = logging.getLogger("afrd.station")
_PAUSE = 2.0

Offer = Callable[[dict[str, bytes], str | None, str], dict[str, Any]]
"""(light → image file, id, source's name) → the answer. Waits for a place in the queue. Raises Refused."""


class Source(Protocol):
    """What brings captures. trouble: what is wrong though it runs."""

    trouble: str | None

    def run(self, offer: Offer, ending: threading.Event) -> None:
        """Until `ending`. May raise; it is called again."""


class Sources:
    """Raises StationError, DatasetError: a source that cannot work as it is written."""

    def __init__(self, configs: Sequence[SourceConfig], data: Path, lights: Sequence[str], offer: Offer) -> None:
        self._offer, self._ending = offer, threading.Event()
        self._sources = {config.name: _source(config, data, lights) for config in configs}
        self._troubles: dict[str, str] = {}
        self._threads = [
            threading.Thread(target=self._work, args=(name, source), name=f"source {name}", daemon=True)
            for name, source in self._sources.items()
        ]

    def start(self) -> None:
        """Take captures."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """After the capture at hand."""
        self._ending.set()
        for thread in self._threads:
            thread.join(timeout=30)

    def problems(self) -> list[str]:
        """Of each that does not work at present."""
        running = {name: source.trouble for name, source in self._sources.items() if source.trouble is not None}
        return [f"source {name}: {trouble}" for name, trouble in (running | self._troubles).items()]

    def _work(self, name: str, source: Source) -> None:
        while not self._ending.is_set():
            try:
                source.run(self._offered(name), self._ending)
            except Exception as error:  # whatever a driver or a disk does, it is tried again
                if name not in self._troubles:
                    _log.warning("source %s: %s; tried again every %g s", name, error, _PAUSE)
                self._troubles[name] = str(error) or type(error).__name__
                self._ending.wait(_PAUSE)

    def _offered(self, name: str) -> Offer:
        def offer(files: dict[str, bytes], id: str | None, source: str) -> dict[str, Any]:
            self._troubles.pop(name, None)
            return self._offer(files, id, source)

        return offer


def _source(config: SourceConfig, data: Path, lights: Sequence[str]) -> Source:
    if isinstance(config, FolderConfig):
        return WatchedFolder(config, data / config.path, lights)
    from afrd.station.sources.camera import Camera

    return Camera(config, lights)

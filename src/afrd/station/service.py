"""One station put together from its file: database, files, model, line. What API, pages, sources and sinks share."""

import logging
import shutil
from concurrent.futures import Future
from pathlib import Path

from afrd.errors import StationError
from afrd.station.config import StationConfig
from afrd.station.database import open_database, sqlite_url
from afrd.station.history import History
from afrd.station.intake import Intake
from afrd.station.judge import Judge, load_version
from afrd.station.line import Answer, Line, Slot
from afrd.station.refusals import Rate, Refusals, Refused
from afrd.station.store import Store

_log = logging.getLogger("afrd.station")
LOW_DISK = 1e9  # bytes left, below which health says so


class Service:
    """Raises StationError, RunError, ModelError: the station cannot start; each says what to mend."""

    def __init__(self, config: StationConfig) -> None:
        self.config = config
        config.data.mkdir(parents=True, exist_ok=True)
        self.engine = open_database(config.database or sqlite_url(config.data))
        version = load_version(config.model)
        lights = version.inspector.lights.names
        if config.lights is not None and config.lights != lights:
            raise StationError(
                f"lights {', '.join(config.lights)}: the model {config.model} was trained for {', '.join(lights)}, in "
                f"this order; mend the station file, or train a model for this rig"
            )
        self.judge = Judge(version, config.review)
        self.store = Store(self.engine, config.data, config.station)
        self.history = History(self.engine, config.station)
        self.intake = Intake(lights, config.limits)
        self.line = Line(self.judge, self.store, config.queue, config.cycle_seconds)
        self.refusals = Refusals()
        self._rate = Rate(config.limits.captures_per_second)

    def start(self) -> None:
        """Judge what an earlier process left, and from now on what comes."""
        if recovered := self.line.recover(self.intake):
            _log.warning("%d captures were taken and not answered before this start; they are judged now", recovered)
        self.line.start()

    def stop(self) -> None:
        """Answer what is queued, and close."""
        self.line.stop()
        self.engine.dispose()

    def require_rate(self) -> None:
        """One more capture. Raises Refused: 429, they come faster than allowed."""
        if not self._rate.take():
            most = self.config.limits.captures_per_second
            raise Refused(429, f"more than {most:g} captures a second; slow down", retry_after=1)

    def take(self, files: dict[str, bytes], id: str | None, source: str, arrived: float, slot: Slot) -> Future[Answer]:
        """Check, decode and queue one capture; arrived: `time.monotonic()`. Raises Refused: `slot` is still held."""
        taken = self.intake.take(files, id, source, arrived)
        if id is not None and (before := self.line.earlier(id, taken.digest)):
            slot.release()
            answered: Future[Answer] = Future()
            answered.set_result(before)
            return answered
        return self.line.submit(taken, slot)

    def problems(self) -> list[str]:
        """What somebody should look after; empty where all is well."""
        found = [f"records cannot be stored: {self.store.trouble}"] if self.store.trouble else []
        if (left := _bytes_left(self.config.data)) < LOW_DISK:
            found.append(f"{left / 1e6:.0f} MB left on the disk of {self.config.data}; free some, or shorten retention")
        if not self.line.alive:
            found.append("the line does not judge; restart the station")
        return found


def _bytes_left(folder: Path) -> int:
    return shutil.disk_usage(folder).free

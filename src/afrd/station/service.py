"""One station put together from its file: database, files, model, line. What API, pages, sources and sinks share."""

import contextlib
import logging
import os
import re
import secrets
import shutil
import time
from concurrent.futures import Future
from pathlib import Path

from afrd.errors import StationError
from afrd.station.access import Access
from afrd.station.config import StationConfig
from afrd.station.database import open_database, sqlite_url
from afrd.station.drift import BASELINE, Chart, charts_of
from afrd.station.guard import Sessions
from afrd.station.history import History
from afrd.station.intake import Intake
from afrd.station.judge import Judge
from afrd.station.line import Answer, Line, Slot
from afrd.station.masks import read_mask_drawing
from afrd.station.refusals import Rate, Refusals, Refused, wrong
from afrd.station.retention import Keeper
from afrd.station.sinks.config import needs_outbox
from afrd.station.sinks.running import Sinks
from afrd.station.sources.running import Sources
from afrd.station.statistics import Statistics
from afrd.station.store import Store
from afrd.station.tables import ReviewRow
from afrd.station.versions import Versions

_log = logging.getLogger("afrd.station")
DEFECT_TYPE = re.compile(r"[^\W_][\w .-]{0,63}")
LOW_DISK = 1e9  # bytes left, below which health says so


class Service:
    """Raises StationError, RunError, ModelError: the station cannot start; each says what to mend."""

    def __init__(self, config: StationConfig) -> None:
        self.config = config
        config.data.mkdir(parents=True, exist_ok=True)
        self.engine = open_database(config.database or sqlite_url(config.data))
        self.versions = Versions(self.engine, config.station, config.data, config.on_light_fault)
        version = self.versions.current(config.model)
        lights = version.inspector.lights.names
        if config.lights is not None and config.lights != lights:
            raise StationError(
                f"lights {', '.join(config.lights)}: the model {config.model} was trained for {', '.join(lights)}, in "
                f"this order; mend the station file, or train a model for this rig"
            )
        self.judge = Judge(version, config.review)
        delivered = [sink.name for sink in config.sinks if needs_outbox(sink)]
        self.store = Store(self.engine, config.data, config.station, delivered)
        self.sinks = Sinks(config.sinks, self.engine, config.station, config.data, lights)
        self.history = History(self.engine, config.station)
        self.statistics = Statistics(self.engine, config.station)
        self.intake = Intake(lights, config.limits)
        self.line = Line(self.judge, self.store, config.queue, config.cycle_seconds, self.sinks.tell)
        self.sources = Sources(config.sources, config.data, lights, self.inspect)
        self.keeper = Keeper(self.store, config.retention)
        self.access = Access(config.access) if config.access else None
        self.sessions = Sessions(_session_key(config.data))
        self.sign_ins = Rate(1)
        self.refusals = Refusals()
        self._rate = Rate(config.limits.captures_per_second)

    def start(self) -> None:
        """Judge what an earlier process left, and from now on what comes."""
        if recovered := self.line.recover(self.intake):
            _log.warning("%d captures were taken and not answered before this start; they are judged now", recovered)
        self.sinks.start()
        self.line.start()
        self.keeper.start()
        self.sources.start()

    def stop(self) -> None:
        """Answer what is queued, and close."""
        self.sources.stop()
        self.line.stop()
        self.sinks.stop()
        self.keeper.stop()
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

    def inspect(self, files: dict[str, bytes], id: str | None = None, source: str = "python") -> Answer:
        """Judge one capture, light → image file, and wait for its answer, and for a place in the queue before.

        For sources within this process, and for Python. Raises Refused.
        """
        arrived = time.monotonic()
        slot = self.line.wait_for_place()
        try:
            return self.take(files, id, source, arrived, slot).result()
        except Refused as error:
            slot.release()
            self.refusals.add(source, error)
            raise
        except BaseException:
            slot.release()
            raise

    def review(self, id: str, label: str, defect_type: str | None, by: str, mask: str = "") -> ReviewRow | None:
        """What a person said of a part, on record and on the audit log; None where there is no such part.

        mask: a drawing as data URL, or empty. Raises Refused: 422.
        """
        if label not in ("good", "defect"):
            raise wrong("label", "expected good or defect")
        if defect_type is not None and (label == "good" or not DEFECT_TYPE.fullmatch(defect_type)):
            raise wrong("defect_type", "of a defect only: letters, digits, spaces, '.', '_' and '-', at most 64")
        drawing = read_mask_drawing(mask, self.config.limits) if mask else None
        row = self.store.review(id, label, defect_type, by, drawing)
        if row is not None:
            self.versions.record(by, "reviewed", id, {"label": label, "type": defect_type})
        return row

    def charts(self) -> list[Chart]:
        """Drift of every light since the active model judges."""
        rows = self.statistics.figures(self.versions.activated_at(), oldest=BASELINE)
        return charts_of(self.intake.lights, [row.light_figures for row in rows if row.light_figures])

    def drifting(self) -> list[Chart]:
        """Those that left their limits."""
        return [chart for chart in self.charts() if chart.out]

    def problems(self) -> list[str]:
        """What somebody should look after; empty where all is well."""
        found = [f"records cannot be stored: {self.store.trouble}"] if self.store.trouble else []
        if (left := _bytes_left(self.config.data)) < LOW_DISK:
            found.append(f"{left / 1e6:.0f} MB left on the disk of {self.config.data}; free some, or shorten retention")
        if not self.line.alive:
            found.append("the line does not judge; restart the station")
        return found + self.sources.problems() + self.sinks.problems()


def _session_key(data: Path) -> str:
    """Made once, readable by the station's user alone."""
    path = data / "session.key"
    if not path.exists():
        with contextlib.suppress(FileExistsError), open(path, "x", opener=_private) as file:
            file.write(secrets.token_hex(32))
    return path.read_text()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _bytes_left(folder: Path) -> int:
    return shutil.disk_usage(folder).free

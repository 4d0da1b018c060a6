"""One station put together from its file: database, files, model, line. What API, pages, sources and sinks share."""

import logging
import os
import re
import secrets
import shutil
import time
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

import numpy as np

from afrd.datasets.images import read_header
from afrd.datasets.problems import ProblemError
from afrd.errors import StationError
from afrd.files import flush
from afrd.imaging.registration import estimate_shifts
from afrd.station.access import Access
from afrd.station.config import StationConfig
from afrd.station.database import hold_name, open_database, sqlite_url
from afrd.station.drift import BASELINE, LOOKED_BACK, SHOWN, Chart, RigWatch, registration_advice, registration_charts
from afrd.station.exports import named_as_good
from afrd.station.gallery import Gallery
from afrd.station.guard import Sessions
from afrd.station.history import History
from afrd.station.idle import Idle
from afrd.station.intake import Intake, Taken
from afrd.station.judge import Judge, Judgement
from afrd.station.learning import Learning
from afrd.station.line import Answer, Line, Slot
from afrd.station.masks import read_mask_drawing
from afrd.station.refusals import Rate, Refusals, Refused, wrong
from afrd.station.retention import Keeper
from afrd.station.shadow import Shadow
from afrd.station.sinks.config import needs_outbox
from afrd.station.sinks.running import Sinks
from afrd.station.sources.running import Sources
from afrd.station.statistics import Statistics
from afrd.station.store import Store
from afrd.station.tables import ReviewRow
from afrd.station.versions import Versions

_log = logging.getLogger("afrd.station")
DEFECT_TYPE = re.compile(r"[^\W_][\w .-]{0,63}")
SHIFTS_REST = 10  # times as long as it takes: how often shifts are measured, so that the next part is hardly slowed
LOW_DISK = 1e9  # bytes left, below which health says so


class Service:
    """Raises StationError, RunError, ModelError: the station cannot start; each says what to fix."""

    def __init__(self, config: StationConfig) -> None:
        self.config = config
        config.data.mkdir(parents=True, exist_ok=True)
        self.engine = open_database(config.database or sqlite_url(config.data))
        self._name = hold_name(self.engine, config.station)
        self.versions = Versions(self.engine, config.station, config.data, config.on_light_fault)
        version = self.versions.current(config.model)
        lights = version.inspector.lights.names
        if config.lights is not None and config.lights != lights:
            raise StationError(
                f"lights {', '.join(config.lights)}: the model {config.model} was trained for {', '.join(lights)}, in "
                f"this order; fix the station file, or train a model for this rig"
            )
        self.judge = Judge(version, config.review)
        delivered = [sink.name for sink in config.sinks if needs_outbox(sink)]
        self.store = Store(self.engine, config.data, config.station, delivered)
        self.sinks = Sinks(config.sinks, self.engine, config.station, config.data, lights, self._status)
        self.history = History(self.engine, config.station)
        self.statistics = Statistics(self.engine, config.station)
        self.intake = Intake(lights, config.limits)
        self.shadow = Shadow(self._note_shadow, config.review)
        self.shadow.watch(self.versions.shadow())
        self.idle = Idle(lambda: self.line.waiting > 0, (self.shadow.look, self._measure_shifts))
        self._shifts_due = 0.0
        self.rig = RigWatch(None, lights)
        self._watch_rig()
        cameras = [source.name for source in config.sources if source.kind == "camera"]
        self._answered: str | None = None
        telling = (self._tell, self._judged, cameras)
        self.line = Line(self.judge, self.store, config.queue, config.cycle_seconds, *telling)
        self.learning = Learning(self.engine, config, self.versions, self.store, self.judge)
        self.gallery = Gallery(self.engine, config.station, config.data, config.training)
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
        self.idle.start()
        self.keeper.start()
        self.gallery.start()
        self.sources.start()

    def stop(self) -> None:
        """Answer what is queued, and close."""
        self.sources.stop()
        self.line.stop()
        self.idle.stop()
        self.learning.jobs.stop()
        self.sinks.stop()
        self.keeper.stop()
        self.gallery.stop()
        if self._name is not None:
            self._name.close()
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
        if defect_type is not None and named_as_good(defect_type):  # in an export it would lie among the good parts
            raise wrong("defect_type", f"{defect_type!r} is no defect; say what is wrong with it, or leave it out")
        drawing = read_mask_drawing(mask, self.config.limits, self._size_of(id)) if mask else None
        return self.store.review(id, label, defect_type, by, drawing)

    def _size_of(self, id: str) -> tuple[int, int] | None:
        """Height and width of a part's images; None where none are stored. Raises Refused: 422, they are damaged."""
        row = self.store.find(id)
        if row is None or row.folder is None:
            return None
        try:
            header = read_header(self.store.files.root / row.folder / next(iter(row.files.values())))
        except ProblemError as error:
            raise wrong("mask", f"the part's images cannot be read ({error.problem.what}); send none") from error
        return header.height, header.width

    def activate(self, number: int, by: str) -> None:
        """Judge by this version from the next part on. Raises StationError."""
        row = self.versions.activate(number, self.judge, by)
        if self.shadow.version is not None and self.shadow.version.name == row.name:
            self.shadow.watch(None)
        self._watch_rig()

    def set_shadow(self, number: int | None, by: str) -> None:
        """Let this version judge beside the active one; None ends it. Raises StationError."""
        self.shadow.watch(self.versions.set_shadow(number, self.judge, by))

    def drifts(self, registration: Sequence[Chart] | None = None) -> list[str]:
        """What has changed in the rig, in words, each with its fix. registration: its charts, if at hand."""
        charts = self.registration_charts() if registration is None else registration
        return self.rig.drifting + registration_advice(charts)

    def rig_charts(self) -> list[Chart]:
        """Of the captures that the active model judged."""
        model = self.judge.version.name
        past = [row.rig_deviations for row in self.statistics.rig(model, SHOWN + 100)]
        return self.rig.charts(past)

    def registration_charts(self) -> list[Chart]:
        """Of the captures since the active model judges."""
        model = self.judge.version.name
        shifts = [row.shifts for row in self.statistics.shifts(model, SHOWN, BASELINE)]
        return registration_charts(self.intake.lights, shifts)

    def shown_last(self, id: str | None) -> bool:
        """Whether no part came after this one, the newest on record. False also where nothing judges at present."""
        return self.line.alive and not (self.store.trouble and self._answered not in (None, id))

    def _tell(self, answer: Answer) -> None:
        self._answered = answer["id"]
        self.sinks.tell(answer)

    def _judged(self, taken: Taken, judgement: Judgement) -> None:
        self.rig.add(taken.id, judgement)
        self.idle.offer(taken.images, taken.id)

    def _status(self) -> tuple[bool, str]:
        """Whether the line judges, and by which model."""
        return not self.line.failed, self.judge.version.name

    def _watch_rig(self) -> None:
        version = self.judge.version
        past = self.statistics.rig(version.name, LOOKED_BACK)
        reference = version.inspector.card.rig_reference
        self.rig.watch(reference, ((row.id, row.rig_deviations) for row in past))

    def _measure_shifts(self, images: np.ndarray, id: str) -> None:
        began = time.monotonic()
        if len(images) > 1 and began >= self._shifts_due:
            self.store.add_shifts(id, estimate_shifts(images)[0])
            self._shifts_due = began + SHIFTS_REST * (time.monotonic() - began)

    def _note_shadow(self, id: str, judgement: Judgement) -> None:
        said = (judgement.model, judgement.verdict, judgement.inspection.score, judgement.threshold)
        self.store.add_opinion(id, *said)

    def problems(self) -> list[str]:
        """What somebody should look after; empty where all is well."""
        found = [f"records cannot be stored: {self.store.trouble}"] if self.store.trouble else []
        if (left := _bytes_left(self.config.data)) < LOW_DISK:
            found.append(f"{left / 1e6:.0f} MB left on the disk of {self.config.data}; free some, or shorten retention")
        if not self.line.alive:
            found.append("the line does not judge; restart the station")
        return found + self.line.repeats.problems() + self.sources.problems() + self.sinks.problems()


def _session_key(data: Path) -> str:
    """Made once, readable by the station's user alone."""
    path = data / "session.key"
    if not path.exists():
        whole = path.with_suffix(".tmp")
        with open(whole, "w", opener=_private) as file:
            file.write(secrets.token_hex(32))
        flush(whole)
        whole.replace(path)
    key = path.read_text()
    if not re.fullmatch(r"[0-9a-f]{64}", key):  # whoever knows it is signed in
        raise StationError(f"{path}: is no key; remove it, and everybody signs in again")
    return key


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _bytes_left(folder: Path) -> int:
    return shutil.disk_usage(folder).free

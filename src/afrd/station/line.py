"""The line: captures queue, one is judged at a time, and each is answered once its record stands.

Three threads: one stores images and the record while the capture is judged by the second; the third stores the verdict.
So the disk does not slow the inspection, and an answer leaves only when both are done. Knows no HTTP.
"""

import logging
import math
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import Any

from afrd.errors import AfrdError
from afrd.station.intake import Intake, Taken
from afrd.station.judge import Judge, Judgement
from afrd.station.records import NOT_JUDGED, answer
from afrd.station.refusals import Refused
from afrd.station.repeats import Repeats
from afrd.station.store import IdUsedError, Store
from afrd.station.tables import CaptureRow

_log = logging.getLogger("afrd.station")
Answer = dict[str, Any]


@dataclass
class _Job:
    taken: Taken
    answered: Future[Answer] = field(default_factory=Future)
    stored: Future[CaptureRow | None] = field(default_factory=Future)
    recovered: bool = False


class Slot:
    """One place in the queue; given back once, when its capture was answered or refused."""

    def __init__(self, slots: threading.BoundedSemaphore) -> None:
        self._slots, self._lock, self._held = slots, threading.Lock(), True

    def release(self, _: Any = None) -> None:
        """Free for another capture."""
        with self._lock:
            if self._held:
                self._held = False
                self._slots.release()


class Line:
    """size: captures that wait or are judged, at most. cycle_seconds: as of the station file.

    tell: called with every answer, also "not judged"; judged: with every capture that was judged, once it is answered.
    Both must return at once and not raise. cameras: as of `Repeats`.
    """

    def __init__(
        self,
        judge: Judge,
        store: Store,
        size: int,
        cycle_seconds: float | None = None,
        tell: Callable[[Answer], None] = lambda _: None,
        judged: Callable[[Taken, Judgement], None] = lambda *_: None,
        cameras: Iterable[str] = (),
    ) -> None:
        self.judge, self.store, self.size, self.cycle_seconds = judge, store, size, cycle_seconds
        self._slots = threading.BoundedSemaphore(size)
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._jobs: dict[str, _Job] = {}
        self._lock = threading.Lock()
        self._left: deque[CaptureRow] = deque()  # of an earlier process, not judged
        self._ending = threading.Event()
        self._taking = ThreadPoolExecutor(1, "take")
        self._finishing = ThreadPoolExecutor(1, "finish")
        self._judging = threading.Thread(target=self._work, name="judge", daemon=True)
        self._pace = 0.1  # seconds a capture, running mean
        self._tell, self._judged = tell, judged
        self.repeats = Repeats(cameras)

    def start(self) -> None:
        """Begin to judge."""
        self._judging.start()

    def stop(self) -> None:
        """Judge what is queued, store it, and end. What an earlier process left waits for the next start."""
        self._ending.set()
        self._queue.put(None)
        self._judging.join()
        self._taking.shutdown()
        self._finishing.shutdown()

    @property
    def alive(self) -> bool:
        """Whether captures are judged."""
        return self._judging.is_alive()

    @property
    def failed(self) -> bool:
        """Whether it judged and does no more, though nobody ended it."""
        return self._judging.ident is not None and not self.alive and not self._ending.is_set()

    @property
    def waiting(self) -> int:
        """Captures taken and not yet answered."""
        return len(self._jobs) + len(self._left)

    def reserve(self) -> Slot:
        """A place in the queue, before an upload is read. Raises Refused: 503, and when to retry."""
        if not self._slots.acquire(blocking=False):
            seconds = max(1, math.ceil(self._pace * self.size / 2))
            raise Refused(503, f"the queue of {self.size} captures is full; retry in {seconds} s", retry_after=seconds)
        return Slot(self._slots)

    def wait_for_place(self) -> Slot:
        """A place in the queue, as soon as there is one: for sources that can wait."""
        self._slots.acquire()
        return Slot(self._slots)

    def earlier(self, id: str, digest: str) -> Answer | None:
        """What the same capture was answered when it was sent before; None if it was not. Raises Refused: 409."""
        row = self.store.find_now(id)
        if row is None or (row.state != "judged" and row.digest == digest):
            return None
        if row.digest != digest:
            raise _id_used(id)
        return answer(row)

    def submit(self, taken: Taken, slot: Slot) -> Future[Answer]:
        """To be judged; the same capture sent twice is judged once. Raises Refused: 409, its id has other images."""
        job = _Job(taken)
        job.answered.add_done_callback(slot.release)
        with self._lock:
            before = self._jobs.setdefault(taken.id, job)
        if before is not job:
            slot.release()
            if before.taken.digest != taken.digest:
                raise _id_used(taken.id)
            return before.answered
        self._taking.submit(self._take, job)
        self._queue.put(job)
        return job.answered

    def recover(self, intake: Intake) -> int:
        """Judge first what an earlier process took and did not answer, or mark it; returns how many.

        Call before `start`. Each is decoded when its turn comes, so that memory does not grow with their number.
        """
        self._left, self._intake = deque(self.store.unfinished()), intake
        return len(self._left)

    def _next(self, before: Future[Answer] | None) -> _Job | None:
        """What is to be judged now, once it is there; None: the station ends. before: of the one before."""
        while self._left and not self._ending.is_set():
            if before is not None:
                wait([before])  # until its pictures are stored and need no memory
            job = self._recovered(self._left[0])
            self._left.popleft()
            if job is not None:
                return job
        return self._queue.get()

    def _recovered(self, row: CaptureRow) -> _Job | None:
        """None: it cannot be read, or was sent again meanwhile and is judged with the others."""
        try:
            job = _Job(self._taken_before(row, self._intake), recovered=True)
        except Exception as error:  # one capture that cannot be read must not stop the line
            self.store.fail(row.id, f"taken before a restart, its images cannot be read: {error}")
            return None
        job.stored.set_result(row)
        with self._lock:
            return job if self._jobs.setdefault(row.id, job) is job else None

    def _taken_before(self, row: CaptureRow, intake: Intake) -> Taken:
        if row.folder is None:
            raise AfrdError("they were not stored")
        files = self.store.files.read_images(row.folder, row.files)
        ago = time.time() - row.taken_at
        return replace(intake.take(files, row.id, row.source, time.monotonic() - ago), at=row.taken_at)

    def _take(self, job: _Job) -> None:
        try:
            job.stored.set_result(self.store.take(job.taken))
        except Exception as error:  # whatever it is, the client is answered and the line goes on
            job.stored.set_exception(error)

    def _work(self) -> None:
        answered = None
        while (job := self._next(answered)) is not None:
            judgement, error, answered = None, None, job.answered
            try:
                judgement = self.repeats.told(job.taken, self.judge.judge(job.taken.images, job.taken.id))
            except Exception as raised:  # one capture that cannot be judged must not stop the line
                error = raised
            self._finishing.submit(self._finish, job, judgement, error)
            del job, judgement, error  # its pictures are not held while waiting for the next

    def _finish(self, job: _Job, judgement: Judgement | None, error: Exception | None) -> None:
        taken = job.taken
        try:
            result = self._settled(job, judgement, error)
        except Exception as raised:
            if not isinstance(raised, Refused):
                _log.exception("capture %s: could not be answered", taken.id)
                raised = Refused(500, f"capture {taken.id}: {type(raised).__name__}; see the station's log")
            self._done(taken.id)
            job.answered.set_exception(raised)
            self._tell(_not_judged(taken.id))
        else:
            self._done(taken.id)
            job.answered.set_result(result)
            self._tell(result)
            if judgement is not None:
                self._judged(taken, judgement)

    def _settled(self, job: _Job, judgement: Judgement | None, error: Exception | None) -> Answer:
        taken = job.taken
        try:
            row = job.stored.result()
        except IdUsedError as used:
            if (before := self.earlier(taken.id, taken.digest)) is not None:
                return before
            row = self.store.find_now(taken.id)  # the same capture, taken earlier and not judged: it is now
            _log.info("capture %s: judged again (%s)", taken.id, used)
        if judgement is None:
            self.store.fail(taken.id, f"could not be judged: {error}")
            if isinstance(error, AfrdError):
                raise Refused(422, str(error)) from error
            raise error or RuntimeError("neither judged nor failed")
        self._pace += 0.1 * (judgement.seconds - self._pace)
        named = None if row is None else self.store.draw(row, judgement)
        seconds = time.monotonic() - taken.arrived
        late = self.cycle_seconds is not None and seconds > self.cycle_seconds
        note = "judged after a restart; nobody was answered" if job.recovered else None
        if row is not None:
            self.store.finish(row, judgement, seconds, late, note, named)
        return _answer(taken.id, judgement, seconds)

    def _done(self, id: str) -> None:
        with self._lock:
            self._jobs.pop(id, None)


def _id_used(id: str) -> Refused:
    return Refused(409, f"id {id}: belongs to a capture with other images; send each capture with its own id")


def _answer(id: str, judgement: Judgement, seconds: float) -> Answer:
    """As `records.answer` makes it of the record."""
    return {
        "id": id,
        "verdict": judgement.verdict,
        "score": judgement.inspection.score,
        "threshold": judgement.threshold,
        "shown_by": judgement.shown_by,
        "light_notes": list(judgement.notes),
        "seconds": round(seconds, 6),
        "model": judgement.model,
    }


def _not_judged(id: str) -> Answer:
    empty = dict.fromkeys(("score", "threshold", "shown_by", "seconds", "model"))
    return {"id": id, "verdict": NOT_JUDGED, "light_notes": [], **empty}

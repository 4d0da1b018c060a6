"""Records and files of a station, changed together so that a process killed at any moment leaves neither half-done."""

import errno
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Engine, delete, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from afrd.errors import AfrdError
from afrd.station.database import writing
from afrd.station.files import CaptureFiles
from afrd.station.intake import Taken
from afrd.station.judge import Judgement
from afrd.station.pictures import THUMBNAIL_FILE, thumbnail
from afrd.station.records import answer, iso
from afrd.station.tables import CaptureRow, OpinionRow, OutboxRow, ReviewRow, audited

_log = logging.getLogger("afrd.station")
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}


AGAIN = "judged when it was sent again"


class IdUsedError(AfrdError):
    """Another capture has this id."""


class Store:
    """station: name in every record. sinks: names of those that get every answer through the outbox."""

    def __init__(self, engine: Engine, root: Path, station: str, sinks: Sequence[str] = ()) -> None:
        self.engine, self.station, self.sinks = engine, station, tuple(sinks)
        self.files = CaptureFiles(root)
        self._writing = writing(engine)
        self._naming = ThreadPoolExecutor(1, "names")
        self.trouble: str | None = None
        """Why records or images cannot be stored at present; None where they can."""

    def take(self, taken: Taken) -> CaptureRow | None:
        """Images and record on the disk. None: the disk cannot take them; the capture is judged nevertheless.

        Raises IdUsedError.
        """
        folder: str | None = self.files.folder_for(taken.id, taken.at)
        if self.files.is_incoming(taken.id) and (before := self.find_now(taken.id)) is not None:
            self._settle(before)
            raise _used(taken.id)
        small = (THUMBNAIL_FILE, b"")
        try:
            small = (THUMBNAIL_FILE, thumbnail(taken.images))
            self.files.write_incoming(taken.id, [*taken.files.values(), small])
        except OSError as error:
            folder = None
            self._troubled(error)
        row = CaptureRow(
            station=self.station,
            id=taken.id,
            state="taken",
            source=taken.source,
            taken_at=taken.at,
            digest=taken.digest,
            folder=folder,
            files={light: name for light, (name, _) in taken.files.items()},
            bytes=sum(len(content) for _, content in [*taken.files.values(), small]),
            light_notes=[],
            late=False,
            note=None if folder else f"images are not stored: {self.trouble}",
        )
        try:
            with Session(self._writing, expire_on_commit=False) as session:
                session.add(row)
                session.commit()
        except IntegrityError as error:
            self.files.drop_incoming_of(taken.id)
            raise _used(taken.id) from error
        except SQLAlchemyError as error:
            self._troubled(error)
            return None
        if folder and self._settle(row):
            self.trouble = None
        return row

    def draw(self, row: CaptureRow, judgement: Judgement) -> Future[None] | None:
        """The capture's map into its folder. Returns what `finish` waits for; None where there is no map."""
        if row.folder and self._settle(row) and self._write_map(row.folder, judgement):
            return self._naming.submit(self.files.flush_names, row.folder)  # beside the database's own flush
        return None

    def finish(
        self,
        row: CaptureRow,
        judgement: Judgement,
        seconds: float,
        late: bool,
        note: str | None = None,
        named: Future[None] | None = None,
    ) -> None:
        """The verdict on record, with a message for every sink. row: the record, not judged yet. named: of `draw`."""
        try:
            with Session(self._writing) as session:
                session.add(row)
                row.note = AGAIN if row.state == "failed" else row.note or note
                row.bytes += self.files.map_bytes(row.folder) if row.folder else 0
                for name, value in _verdict(judgement).items():
                    setattr(row, name, value)
                row.state, row.judged_at, row.seconds, row.late = "judged", time.time(), round(seconds, 6), late
                session.add_all(self._messages(row))
                session.commit()
        except SQLAlchemyError as error:
            self._troubled(error)
        if named and (failed := named.exception()):
            self._troubled(failed)

    def fail(self, id: str, note: str) -> None:
        """The capture could not be judged, and why. Shown as such; never good."""
        try:
            with Session(self._writing) as session:
                row = self._row(session, id)
                if row is None or row.state == "judged":
                    return
                row.state, row.judged_at, row.note = "failed", time.time(), note
                session.add_all(self._messages(row))
                session.commit()
        except SQLAlchemyError as error:
            self._troubled(error)

    def add_opinion(self, id: str, model: str, verdict: str, score: float, threshold: float) -> None:
        """What a model that did not judge says of a capture; its newest word counts."""
        said = {"model": model, "at": time.time(), "verdict": verdict, "score": score, "threshold": threshold}

        def add(session: Session, row: CaptureRow) -> None:
            session.execute(delete(OpinionRow).where(OpinionRow.capture == row.number, OpinionRow.model == model))
            session.add(OpinionRow(capture=row.number, **said))

        self._add(id, add)

    def add_shifts(self, id: str, shifts: np.ndarray) -> None:
        """[N, 2] x, y in pixels, how the lights of a capture lie against each other."""

        def add(_: Session, row: CaptureRow) -> None:
            row.shifts = np.round(shifts, 3).tolist()

        self._add(id, add)

    def _add(self, id: str, add: Callable[[Session, CaptureRow], None]) -> None:
        """What is learned of a capture after its verdict; told as trouble, not raised, where it cannot be stored."""
        try:
            with Session(self._writing) as session:
                row = self._row(session, id)
                if row is not None:
                    add(session, row)
                    session.commit()
        except SQLAlchemyError as error:
            self._troubled(error)

    def find(self, id: str) -> CaptureRow | None:
        """The record of this id."""
        with Session(self.engine, expire_on_commit=False) as session:
            return self._row(session, id)

    def find_now(self, id: str) -> CaptureRow | None:
        """The same; None too where the database cannot tell, for the line goes on without it."""
        try:
            return self.find(id)
        except SQLAlchemyError as error:
            self._troubled(error)
            return None

    def unfinished(self) -> list[CaptureRow]:
        """Captures that were taken and not judged, oldest first; their images are brought to their place."""
        with Session(self.engine, expire_on_commit=False) as session:
            rows = session.scalars(
                select(CaptureRow)
                .where(CaptureRow.station == self.station, CaptureRow.state == "taken")
                .order_by(CaptureRow.number)
            ).all()
        for id in self.files.incoming():  # of a process that was killed, or while the disk was full
            row = self.find(id)
            if row is None or row.folder is None or (self.files.root / row.folder).is_dir():
                self.files.drop_incoming_of(id)
            else:
                self._settle(row)
        return list(rows)

    def _settle(self, row: CaptureRow) -> bool:
        """Its images to their place. False: they cannot be moved now, and are at the next start."""
        try:
            self.files.settle(row.id, row.folder)
            return True
        except OSError as error:
            self._troubled(error)
            return False

    def review(
        self, id: str, label: str, defect_type: str | None, by: str, mask: bytes | None = None
    ) -> ReviewRow | None:
        """One more review of a capture, on record with its mask and on the audit log; None: no such capture."""
        with Session(self._writing, expire_on_commit=False) as session:
            row = self._row(session, id, lock=True)
            if row is None or row.state == "taken":
                return None
            at = time.time()
            review = ReviewRow(capture=row.number, at=at, by=by, label=label, defect_type=defect_type, mask=None)
            if mask and row.folder:
                review.mask = f"mask-{round(at * 1000)}.png"
                self.files.write_mask(row.folder, review.mask, mask)
                row.bytes += len(mask)
            row.label = label
            said = {"label": label, "type": defect_type}
            session.add_all([review, audited(self.station, by, "reviewed", id, said)])
            session.commit()
            return review

    def _messages(self, row: CaptureRow) -> list[OutboxRow]:
        """One for each sink, to be committed with the record."""
        message = answer(row) | {"station": self.station, "taken_at": iso(row.taken_at)}
        at = row.judged_at or time.time()
        return [OutboxRow(station=self.station, sink=sink, at=at, message=message) for sink in self.sinks]

    def _write_map(self, folder: str, judgement: Judgement) -> bool:
        try:
            found = judgement.inspection.map.calm(judgement.threshold)
            self.files.write_map(folder, found, judgement.threshold)
            return True
        except OSError as error:
            self._troubled(error)
        except Exception:  # a map never costs the record
            _log.exception("map of %s: could not be written", folder)
        return False

    def _row(self, session: Session, id: str, lock: bool = False) -> CaptureRow | None:
        query = select(CaptureRow).where(CaptureRow.station == self.station, CaptureRow.id == id)
        return session.scalar(query.with_for_update() if lock else query)

    def _troubled(self, error: BaseException) -> None:
        """To be told in health, log and pages; the line goes on."""
        reason = reason_of(error)
        if self.trouble is None:
            _log.error("cannot store records: %s; verdicts go on, free the disk of %s", reason, self.files.root)
        self.trouble = reason


def reason_of(error: BaseException) -> str:
    """Of a disk or a database, in one line."""
    full = isinstance(error, OSError) and error.errno in _DISK
    return str(error.strerror if full else (str(getattr(error, "orig", None) or error).splitlines() or [error])[0])


def _used(id: str) -> IdUsedError:
    return IdUsedError(f"id {id}: belongs to another capture; send each capture with its own")


def _verdict(judgement: Judgement) -> dict[str, Any]:
    """The columns that come from the judgement."""
    deviations = judgement.inspection.rig_deviations
    return {
        "verdict": judgement.verdict,
        "score": judgement.inspection.score,
        "threshold": judgement.threshold,
        "own_threshold": judgement.inspection.threshold,
        "shown_by": judgement.shown_by,
        "light_evidence": judgement.light_evidence,
        "light_notes": list(judgement.notes),
        "rig_deviations": None if deviations is None else np.round(deviations, 5).tolist(),
        "model": judgement.model,
        "inspection_seconds": round(judgement.seconds, 6),
    }

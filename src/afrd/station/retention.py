"""Which images are kept how long. Records stay for ever; reviewed parts keep their images too.

Runs beside the line, once a minute and a little at a time.
"""

import logging
import threading
import time

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session

from afrd.station.config import Retention
from afrd.station.database import writing
from afrd.station.store import Store
from afrd.station.tables import AuditRow, CaptureRow, audited

_log = logging.getLogger("afrd.station")
_EVERY_SECONDS = 60
_BATCH = 200
_SLACK = 0.95  # of the limit is left after a clean-up, so that not every capture brings one


class Keeper:
    """Applies `rules` to the images of `store`."""

    def __init__(self, store: Store, rules: Retention) -> None:
        self._store, self._rules = store, rules
        self._writing = writing(store.engine)
        self._ending = threading.Event()
        self._line: int | None = None  # of the audit log
        self._thread = threading.Thread(target=self._work, name="keeper", daemon=True)

    def start(self) -> None:
        """Clean up now and every minute."""
        self._thread.start()

    def stop(self) -> None:
        """At the end of the batch at hand."""
        self._ending.set()
        self._thread.join()

    def clean(self, now: float) -> int:
        """Images of how many captures were removed. now: seconds since 1970."""
        removed = 0
        for good, days in ((True, self._rules.good_days), (False, self._rules.other_days)):
            if days is not None:
                old = self._removable(good).where(CaptureRow.taken_at < now - days * 86400)
                while (count := self._remove(old)) and not self._ending.is_set():
                    removed += count
        if self._rules.gigabytes is not None and self._stored() > self._rules.gigabytes * 1e9:
            for good in (True, False):
                while self._stored() > _SLACK * self._rules.gigabytes * 1e9 and not self._ending.is_set():
                    if not (count := self._remove(self._removable(good))):
                        break
                    removed += count
        return removed

    def _work(self) -> None:
        while not self._ending.is_set():
            try:
                if removed := self.clean(time.time()):
                    _log.info("retention: removed the images of %d captures", removed)
            except Exception:  # the line goes on without it
                _log.exception("retention: could not clean up; tried again in a minute")
            self._ending.wait(_EVERY_SECONDS)

    def _removable(self, good: bool) -> Select[tuple[CaptureRow]]:
        """With images, judged, never reviewed; oldest first."""
        verdict = CaptureRow.verdict == "good" if good else func.coalesce(CaptureRow.verdict, "") != "good"
        return (
            select(CaptureRow)
            .where(
                CaptureRow.station == self._store.station,
                verdict,
                CaptureRow.state != "taken",
                CaptureRow.label.is_(None),
                CaptureRow.folder.is_not(None),
            )
            .order_by(CaptureRow.number)
            .limit(_BATCH)
            .with_for_update(skip_locked=True)  # nobody reviews a part while its images are removed (PostgreSQL)
        )

    def _remove(self, query: Select[tuple[CaptureRow]]) -> int:
        with Session(self._writing) as session:
            found = [(row.number, row.folder) for row in session.scalars(query)]
            numbers = [number for number, _ in found]
            session.execute(update(CaptureRow).where(CaptureRow.number.in_(numbers)).values(folder=None, bytes=0))
            line = self._audit(session, len(found)) if found else None
            session.commit()
            self._line = line.number if line else self._line
        for _, folder in found:  # after the record: a picture without a record is only space, the reverse is an error
            self._store.files.remove(folder)
        return len(found)

    def _audit(self, session: Session, parts: int) -> AuditRow:
        """One line of the audit log for each day and start, which counts up."""
        line = session.get(AuditRow, self._line) if self._line else None
        today = time.strftime("%Y-%m-%d", time.gmtime())
        if line is None or line.subject != today:
            line = audited(self._store.station, "station", "removed images of old parts", today, {"parts": 0})
            session.add(line)
        line.detail = {"parts": line.detail["parts"] + parts}
        return line

    def _stored(self) -> int:
        mine = CaptureRow.station == self._store.station
        with Session(self._store.engine) as session:
            return session.scalar(select(func.sum(CaptureRow.bytes)).where(mine, CaptureRow.folder.is_not(None))) or 0

"""Messages that must arrive: taken from the database in order, and removed there once they were delivered."""

import logging
import threading
from typing import Any, Protocol

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from afrd.station.database import writing
from afrd.station.tables import OutboxRow

_log = logging.getLogger("afrd.station")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 15.0


class DeliveryError(Exception):
    """It did not arrive, as far as is known; it will be sent again."""


class Delivery(Protocol):
    """What a sink with an outbox can do."""

    def open(self) -> None:
        """Be there before the first message, and again after trouble. Raises DeliveryError."""

    def deliver(self, message: dict[str, Any]) -> None:
        """Returns once the other side has it. Raises DeliveryError."""

    def close(self) -> None:
        """No more messages."""


class Outbox:
    """Delivers the messages of one sink, one at a time and in order; at least once."""

    def __init__(self, engine: Engine, station: str, name: str, delivery: Delivery) -> None:
        self.name, self._delivery = name, delivery
        self._engine, self._writing = engine, writing(engine)
        self._mine = (OutboxRow.station == station, OutboxRow.sink == name)
        self._wake, self._ending = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"sink {name}", daemon=True)
        self.trouble: str | None = None

    def start(self) -> None:
        """Deliver what an earlier process left, and from now on what comes."""
        self._thread.start()

    def wake(self) -> None:
        """A message may be there."""
        self._wake.set()

    def stop(self) -> None:
        """After the message at hand; the rest waits in the database."""
        self._ending.set()
        self._wake.set()
        self._thread.join(timeout=30)

    def waiting(self) -> int:
        """Messages not delivered."""
        with Session(self._engine) as session:
            return session.scalar(select(func.count()).select_from(OutboxRow).where(*self._mine)) or 0

    def _work(self) -> None:
        pause = _FIRST_PAUSE
        while not self._ending.is_set():
            self._wake.clear()
            try:
                self._delivery.open()
                more = True
                while more and not self._ending.is_set():
                    more = self._deliver_next()
                    pause = _FIRST_PAUSE
                    if self.trouble is not None:
                        _log.info("sink %s: delivers again", self.name)
                        self.trouble = None
                self._wake.wait()
            except Exception as error:  # whatever a peer, a library or the database does, it is tried again
                why = getattr(error, "orig", None) or error  # the database's own words, without the statement
                if self.trouble is None:
                    _log.warning("sink %s: %s; messages wait in the database", self.name, why)
                self.trouble = str(why) or type(why).__name__
                self._ending.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        self._delivery.close()

    def _deliver_next(self) -> bool:
        with Session(self._engine, expire_on_commit=False) as session:
            row = session.scalar(select(OutboxRow).where(*self._mine).order_by(OutboxRow.number).limit(1))
        if row is None:
            return False
        self._delivery.deliver(row.message)
        with Session(self._writing) as session:
            session.delete(session.get_one(OutboxRow, row.number))
            session.commit()
        return True

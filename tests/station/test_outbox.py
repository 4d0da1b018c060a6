"""The outbox by itself: when its trouble is over."""

import threading
from typing import Any

from sqlalchemy import event

from afrd.station.database import open_database, sqlite_url
from afrd.station.sinks.outbox import Outbox
from sinks import until


class Nobody:
    """Gets nothing in these tests."""

    def open(self) -> None:
        """Nobody to reach."""

    def deliver(self, message: dict[str, Any]) -> None:
        raise AssertionError(message)

    def close(self) -> None:
        """Nothing to do."""


def test_trouble_with_the_database_is_over_though_no_message_waits(tmp_path):
    engine = open_database(sqlite_url(tmp_path))
    asked = threading.Event()

    def answered(connection, cursor, statement: str, *_: object) -> None:
        if "FROM outbox" in statement:
            asked.set()

    event.listen(engine, "after_cursor_execute", answered)
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE outbox RENAME TO away")
    outbox = Outbox(engine, "station", "plc", Nobody())
    outbox.start()
    until(lambda: outbox.trouble)
    assert outbox.trouble == "no such table: outbox" and not asked.is_set()
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO outbox")
    asked.wait()
    outbox.stop()
    assert outbox.trouble is None
    engine.dispose()

"""The database of a station: opened, checked, brought to this version's tables. SQLite in WAL mode, or PostgreSQL."""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from afrd.errors import StationError

SQLITE_FILE = "station.sqlite"
_BUSY_SECONDS = 10
_WRITES = "writes"


def sqlite_url(data: Path) -> str:
    """The database beside the images."""
    return f"sqlite:///{data / SQLITE_FILE}"


def open_database(url: str) -> Engine:
    """Ready for use, migrated to this version's tables.

    SQLite commits reach the disk before they return (`synchronous=FULL`). Raises StationError: cannot be reached,
    damaged, or written by a newer afrd.
    """
    try:
        engine = create_engine(url, connect_args={"timeout": _BUSY_SECONDS} if url.startswith("sqlite") else {})
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _set_up_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
        _migrate(engine)
    except CommandError as error:
        raise StationError(f"database {_shown(url)}: {error}; was it written by a newer afrd? Use that one") from error
    except (SQLAlchemyError, ModuleNotFoundError) as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise StationError(
            f"database {_shown(url)}: {reason}; check its URL and that the server runs, or restore a backup"
        ) from error
    return engine


def writing(engine: Engine) -> Engine:
    """The same database for transactions that write: SQLite waits for its turn at their start, not half-way."""
    return engine.execution_options(**{_WRITES: True})


def migrations() -> Config:
    """Alembic's, for this package's tables; `attributes["connection"]` says where."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config


def _migrate(engine: Engine) -> None:
    """In one transaction: a process killed meanwhile leaves the tables as they were."""
    config = migrations()
    with writing(engine).begin() as connection:
        if engine.dialect.name == "postgresql":  # stations that start at once migrate one after the other
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(4158)")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _set_up_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # transactions begin where SQLAlchemy says so, for changes of tables too
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    kind = "IMMEDIATE" if connection.get_execution_options().get(_WRITES) else "DEFERRED"
    connection.exec_driver_sql(f"BEGIN {kind}")


def _shown(url: str) -> str:
    """Without the password."""
    head, at, rest = url.rpartition("@")
    return f"{head.split('://')[0]}://…@{rest}" if at else url

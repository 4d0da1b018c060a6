"""The database of a station: opened, checked, brought to this version's tables. SQLite in WAL mode, or PostgreSQL."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from afrd.errors import StationError

if TYPE_CHECKING:
    from alembic.config import Config

SQLITE_FILE = "station.sqlite"
LATEST = "0005"  # of migrations/versions: a database that has it is opened without alembic, which takes long to load
_BUSY_SECONDS = 10
_KILLED_SECONDS = 5
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
        if url.startswith("sqlite"):
            engine = create_engine(url, connect_args={"timeout": _BUSY_SECONDS})
        else:  # a server that was restarted is noticed before a record is lost to it
            engine = create_engine(url, pool_pre_ping=True)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _set_up_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
        if _revision(engine) != LATEST:
            _migrate(engine, url)
    except (SQLAlchemyError, ModuleNotFoundError) as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise StationError(
            f"database {_shown(url)}: {reason}; check its URL and that the server runs, or restore a backup"
        ) from error
    return engine


def writing(engine: Engine) -> Engine:
    """The same database for transactions that write: SQLite waits for its turn at their start, not half-way."""
    return engine.execution_options(**{_WRITES: True})


def hold_name(engine: Engine, station: str) -> Connection | None:
    """On a server, the station's name for itself while the connection is open: another of that name would mix records.

    None with SQLite, which lies in the data folder, that is locked. Raises StationError: another station has it.
    """
    if engine.dialect.name != "postgresql":
        return None
    connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    ask = text("SELECT pg_try_advisory_lock(4159, hashtext(:name))")
    for _ in range(_KILLED_SECONDS):  # a server notices within moments that a process was killed
        if connection.scalar(ask, {"name": station}):
            return connection
        time.sleep(1)
    connection.close()
    raise StationError(
        f"database: another station named {station} uses it; give each its own name, as `station` in its file"
    )


def migrations() -> "Config":
    """Alembic's, for this package's tables; `attributes["connection"]` says where."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config


def _revision(engine: Engine) -> str | None:
    """Which migration the tables are of; None: there are none."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


def _migrate(engine: Engine, url: str) -> None:
    """In one transaction: a process killed meanwhile leaves the tables as they were."""
    from alembic import command
    from alembic.util import CommandError

    config = migrations()
    try:
        with writing(engine).begin() as connection:
            if engine.dialect.name == "postgresql":  # stations that start at once migrate one after the other
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(4158)")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError as error:
        raise StationError(f"database {_shown(url)}: {error}; was it written by a newer afrd? Use that one") from error


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

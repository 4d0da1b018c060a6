"""One history for several stations: a real PostgreSQL server, stations, reviews and retention that write at once."""

import os
import pwd
import subprocess
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, event

from afrd.errors import StationError
from afrd.station.config import Retention
from afrd.station.database import hold_name, open_database
from afrd.station.retention import Keeper
from afrd.station.store import Store
from afrd.station.tables import Base
from station_process import StationProcess, free_port
from stored_parts import NOW, kept, put

SERVERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
pytestmark = pytest.mark.skipif(not SERVERS, reason="no PostgreSQL server on this machine")


@pytest.fixture(scope="module")
def server():
    """The URL of a server of its own, less the database; a server does not run as root."""
    user = "postgres" if os.getuid() == 0 else None
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if user:
            owner = pwd.getpwnam(user)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        tools, port, data = SERVERS[-1], free_port(), folder / "data"

        def run(*command: str) -> None:
            subprocess.run(command, user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL)

        run(str(tools / "initdb"), "-D", str(data), "-A", "trust", "-U", "afrd")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
        run(str(tools / "pg_ctl"), "-D", str(data), "-o", options, "-l", str(folder / "log"), "-w", "start")
        yield f"postgresql+psycopg://afrd@127.0.0.1:{port}"
        run(str(tools / "pg_ctl"), "-D", str(data), "-m", "fast", "-w", "stop")


@pytest.fixture
def database(server, request):
    """The URL of an empty database."""
    engine = create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {request.node.name}")
    engine.dispose()
    return f"{server}/{request.node.name}"


@pytest.fixture
def store(database, tmp_path):
    """With an old good part, which retention removes and a person reviews."""
    store = Store(open_database(database), tmp_path, "station")
    put(store, "old", "good", days_ago=40)
    yield store
    store.engine.dispose()


def at_its_end_or_a_lock(store: Store, other: Future) -> None:
    """Wait until the other transaction goes no further by itself."""
    with store.engine.connect() as connection:
        while not other.done():
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            if connection.exec_driver_sql(waiting).scalar():
                return
            connection.rollback()
            time.sleep(0.01)


def test_a_part_that_is_reviewed_meanwhile_keeps_its_images(store, monkeypatch):
    """Retention comes while a review has read the part and drawn its mask, and has not written its label yet."""
    write_mask = store.files.write_mask
    keeper = Keeper(store, Retention(good_days=30))
    with ThreadPoolExecutor(1) as pool:
        cleaning: list[Future] = []

        def meanwhile(*given: object) -> None:
            write_mask(*given)
            cleaning.append(pool.submit(keeper.clean, NOW))
            at_its_end_or_a_lock(store, cleaning[0])

        monkeypatch.setattr(store.files, "write_mask", meanwhile)
        review = store.review("old", "defect", "scratch", "ada", b"a mask")
        assert cleaning[0].result() == 0
    assert (kept(store), store.find("old").label) == ({"old"}, "defect")
    assert (store.files.root / store.find("old").folder / review.mask).read_bytes() == b"a mask"
    assert keeper.clean(NOW) == 0


def test_a_review_of_a_part_that_goes_meanwhile_has_no_mask(store):
    """A review comes while retention has chosen the part, and has not written that its images are gone."""
    with ThreadPoolExecutor(1) as pool:
        reviewing: list[Future] = []
        cleaning = threading.get_ident()

        def meanwhile(connection, cursor, statement: str, *_: object) -> None:
            ours = threading.get_ident() == cleaning and statement.startswith("SELECT captures")
            if ours and not reviewing:
                reviewing.append(pool.submit(store.review, "old", "defect", None, "ada", b"a mask"))
                at_its_end_or_a_lock(store, reviewing[0])

        event.listen(store.engine, "after_cursor_execute", meanwhile)
        assert Keeper(store, Retention(good_days=30)).clean(NOW) == 1
        assert reviewing[0].result().mask is None
    assert (kept(store), store.find("old").label) == (set(), "defect")
    assert list(store.files.root.glob("captures/*/*")) == []


def test_two_stations_share_a_history_and_write_at_once(database, artefact, parts, tmp_path):
    def start(name: str) -> StationProcess:
        file = tmp_path / f"{name}.yaml"
        file.write_text(yaml.safe_dump({"station": name, "model": str(artefact), "database": database}))
        return StationProcess(file, tmp_path / name)

    with ThreadPoolExecutor(2) as both:
        stations = list(both.map(start, ("cell-1", "cell-2")))  # both migrate at once

        def work(station: StationProcess) -> dict[str, dict]:
            return {f"part-{k}": station.post(parts[k], f"part-{k}").raise_for_status().json() for k in range(8)}

        answers = list(both.map(work, stations))  # the same ids on both
    for station, answered in zip(stations, answers, strict=True):
        listed = {each["id"]: each for each in station.client.get("/api/captures").json()}
        assert listed.keys() == answered.keys()
        for id, answer in answered.items():
            assert {name: listed[id][name] for name in answer} == answer
        assert station.client.post("/api/captures/part-1/review", json={"label": "good"}).status_code == 200
        for page in ("live", "history?label=good", "review", "threshold?at=1", "models", "rig", "history/export.csv"):
            assert station.client.get(f"/{page}").status_code == 200, page
    stations[0].kill()
    assert stations[1].post(parts[9], "after").status_code == 200
    stations[0] = start("cell-1")
    assert stations[0].post(parts[0], "part-0").json() == answers[0]["part-0"]
    engine = open_database(database)
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT station, count(*) FROM captures GROUP BY station ORDER BY station"
        ).all()
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    assert [tuple(row) for row in rows] == [("cell-1", 8), ("cell-2", 9)]
    with pytest.raises(StationError, match="another station named cell-2 uses it; give each its own name"):
        hold_name(engine, "cell-2")  # it would take the first one's captures for its own
    hold_name(engine, "cell-3").close()
    engine.dispose()
    for station in stations:
        station.kill()

"""One history for several stations: a real PostgreSQL server, two stations that write at once."""

import os
import pwd
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from afrd.station.database import open_database
from afrd.station.tables import Base
from station_process import StationProcess, free_port

SERVERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
pytestmark = pytest.mark.skipif(not SERVERS, reason="no PostgreSQL server on this machine")


@pytest.fixture
def database():
    """The URL of an empty database on a server of its own; a server does not run as root."""
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
        yield f"postgresql+psycopg://afrd@127.0.0.1:{port}/postgres"
        run(str(tools / "pg_ctl"), "-D", str(data), "-m", "fast", "-w", "stop")


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
    engine.dispose()
    for station in stations:
        station.kill()

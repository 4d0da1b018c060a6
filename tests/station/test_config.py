"""What a station file may hold, and what a start that cannot work says."""

import os
import socket
import sqlite3

import pytest
import yaml
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from afrd.datasets.lights import read_lights
from afrd.errors import DatasetError, RunError, StationError
from afrd.station.config import load_station
from afrd.station.database import open_database, sqlite_url
from afrd.station.server import listen_on
from afrd.station.server import serve as start
from afrd.station.tables import Base


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: run\nquue: 3\n", r"line 2: quue: .*not permitted"),
        ("queue: 3\n", r"line 1: model: missing"),
        ("model: run\nqueue: 0\n", r"line 2: queue: .*greater than or equal to 1 .found 0."),
        ("model: run\nreview: 1.5\n", r"line 2: review: .*less than 1 .found 1.5."),
        ("model: run\nlimits:\n  megabytes: none\n", r"line 3: limits.megabytes: .*number.*found 'none'"),
        ("model: run\nstation: ../x\n", r"line 2: station: .*found '../x'"),
        ('model: run\nlights: ["a/b"]\n', r"line 2: lights.*found 'a/b'"),
        ('model: run\nlights: [""]\n', r"line 2: lights.*found ''"),
        ("model: [run\n", r"line \d: "),
        (
            "model: run\nsinks:\n- {kind: webhook, name: w, url: 'https://u:pw@h/x', secret_env: S}\n",
            r"line 3: sinks.*url: .*holds a name or a password",
        ),
        ("just words\n", r"line 1: expected settings"),
        ("", r"line 1: expected settings"),
    ],
)
def test_a_wrong_station_file_is_named_with_its_line(tmp_path, text, message):
    file = tmp_path / "station.yaml"
    file.write_text(text)
    with pytest.raises(DatasetError, match=message) as error:
        load_station(file)
    assert str(file) in str(error.value)


def test_lights_are_named_as_lights_yaml_may_name_them(tmp_path):
    names = ("light box", "länge", "(low)", "-45")
    (tmp_path / "lights.yaml").write_text(yaml.safe_dump({"lights": [{"name": name} for name in names]}))
    (tmp_path / "station.yaml").write_text(yaml.safe_dump({"model": "run", "lights": list(names)}))
    assert load_station(tmp_path / "station.yaml").lights == read_lights(tmp_path / "lights.yaml").names == names


@pytest.mark.parametrize(
    "text",
    [
        "sinks: [{kind: webhook, name: a, url: 'htp://user:secret-word@mes', secret_env: X}]",
        "sinks: [{kind: webhook, name: a, url: 'http://mes', secret: secret-word}]",
        "sinks: [{kind: mqtt, name: a, host: b, topic: t, password: secret-word}]",
        "database: {url: secret-word}",
    ],
)
def test_what_may_hold_a_secret_is_not_repeated(tmp_path, text):
    file = tmp_path / "station.yaml"
    file.write_text(f"model: run\n{text}\n")
    with pytest.raises(DatasetError, match="line 2") as error:
        load_station(file)
    assert "secret-word" not in str(error.value)


def test_paths_are_relative_to_the_station_file_and_a_run_needs_none(tmp_path):
    file = tmp_path / "station.yaml"
    file.write_text("station: cell-3\nmodel: runs/a\ndata: kept\nreview: 0.9\n")
    config = load_station(file)
    assert (config.model, config.data) == (tmp_path / "runs/a", tmp_path / "kept")
    assert load_station(tmp_path / "run").model == tmp_path / "run"
    with pytest.raises(DatasetError, match="cannot be read"):
        load_station(tmp_path / "none.yaml")


def test_migrations_build_what_the_tables_say(tmp_path):
    engine = open_database(sqlite_url(tmp_path))
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    assert differences == []


def test_a_database_that_is_damaged_or_newer_is_refused(tmp_path):
    open_database(sqlite_url(tmp_path)).dispose()
    with sqlite3.connect(tmp_path / "station.sqlite") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StationError, match="newer afrd"):
        open_database(sqlite_url(tmp_path))
    (tmp_path / "station.sqlite").write_bytes(b"no database at all" * 1000)
    with pytest.raises(StationError, match=r"not a database; .*restore a backup"):
        open_database(sqlite_url(tmp_path))
    with pytest.raises(StationError) as error:
        open_database("postgresql+psycopg://afrd:secret@127.0.0.1:1/afrd")
    assert "secret" not in str(error.value)


def test_a_start_that_cannot_work_says_what_to_mend(artefact, serve, tmp_path, monkeypatch):
    for variable in ("OMP_NUM_THREADS", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(variable, os.environ.get(variable, "1"))  # a start sets them for its process
    station = serve(artefact)
    with pytest.raises(RunError, match="another station serves it"):
        start(artefact, station.data, "127.0.0.1", 0)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(StationError, match="choose another with"):
        start(artefact, tmp_path / "b", "127.0.0.1", taken.getsockname()[1])
    with pytest.raises(RunError, match="no such run folder"):
        start(tmp_path / "none", tmp_path / "c", "127.0.0.1", 0)
    file = tmp_path / "station.yaml"
    file.write_text(f"model: {artefact}\nlights: [top, left, right]\n")
    with pytest.raises(StationError, match="in this order"):
        start(file, tmp_path / "d", "127.0.0.1", 0)


def test_what_the_port_accepts_does_not_hold_back_the_second_piece_of_an_answer() -> None:
    with listen_on("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

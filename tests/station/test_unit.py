"""The systemd unit and the hash for a station file, as the command line prints them."""

import configparser
import shlex
import shutil
import subprocess
import sys

from typer.testing import CliRunner

from afrd.cli import app
from afrd.station.access import Access, AccessRules


def test_the_unit_serves_this_station_and_writes_to_its_data_alone(tmp_path):
    station = tmp_path / "a station" / "station.yaml"
    station.parent.mkdir()
    station.write_text("station: cell-3\nmodel: run\ndata: kept\n")
    printed = CliRunner().invoke(app, ["serve", str(station), "--port", "8090", "--print-unit"])
    assert printed.exit_code == 0, printed.output
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str
    unit.read_string(printed.stdout)
    service = unit["Service"]
    data = tmp_path / "a station" / "kept"
    assert shlex.split(service["ExecStart"])[1:] == [
        "-m", "afrd", "serve", str(station), "--data", str(data), "--host", "127.0.0.1", "--port", "8090",
    ]  # fmt: skip
    assert shlex.split(service["ExecStart"])[0] == sys.executable
    assert shlex.split(service["ReadWritePaths"]) == [str(data)]
    assert data.is_dir()
    if shutil.which("systemd-analyze"):
        file = tmp_path / "afrd.service"
        file.write_text(printed.stdout)
        said = subprocess.run(["systemd-analyze", "verify", str(file)], capture_output=True, text=True).stderr
        assert not [line for line in said.splitlines() if "afrd.service" in line]


def test_the_hash_is_what_a_station_file_takes():
    printed = CliRunner().invoke(app, ["serve", "--hash"], input="a word\na word\n")
    assert printed.exit_code == 0, printed.output
    value = printed.stdout.strip().splitlines()[-1]
    access = Access(AccessRules.model_validate({"tokens": [{"name": "line", "hash": value}]}))
    assert access.by_token("line:a word").role == "operator"
    assert access.by_token("line:another") is None


def test_percent_and_dollar_are_no_specifiers(tmp_path):
    from afrd.station.unit import unit

    station = tmp_path / "50%$x.yaml"
    station.write_text("model: run\n")
    assert "50%%$$x.yaml" in unit(station, None, "127.0.0.1", 1)

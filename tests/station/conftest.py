"""A tiny run folder of three lights, captures for it, and stations in processes of their own."""

from pathlib import Path

import numpy as np
import pytest

from browser import browser
from captures import make_capture, write_folder
from station_process import StationProcess, uploads

LIGHTS = ("left", "right", "top")
SIZE = 64


@pytest.fixture(scope="session")
def run(tmp_path_factory) -> Path:
    """A run of the default model, three lights at 64²."""
    from afrd.datasets import open_dataset
    from afrd.families.joint import Disturbing, JointConfig, Painting
    from afrd.training import train

    root = tmp_path_factory.mktemp("station")
    write_folder(root / "data", {"train": {"good": 12}, "val": {"good": 6}}, size=SIZE)
    good, held_out = (open_dataset(root / "data", None, split) for split in ("train", "val"))
    little = {"painting": Painting(captures=6, pairs=12), "disturbing": Disturbing(captures=4, copies=1), "folds": 0}
    train(good, root / "run", JointConfig(image_size=SIZE, false_alarm_rate=0.2, **little), holdout=held_out)
    return root / "run"


@pytest.fixture(scope="session")
def artefact(run) -> Path:
    """The same model as a file for ONNX Runtime: stations start without torch."""
    from afrd.datasets import open_dataset
    from afrd.export import export_run

    out = run.parent / "model.onnx"
    export_run(run, open_dataset(run.parent / "data", None, "val"), out, to="onnx")
    return out


@pytest.fixture(scope="session")
def parts() -> list[dict[str, bytes]]:
    """Twelve captures as files to send, light → PNG; every third has a defect."""
    rng = np.random.default_rng(7)
    return [uploads(make_capture(rng, 3, SIZE, k % 3 == 2)[0], LIGHTS) for k in range(12)]


@pytest.fixture
def store(tmp_path):
    """An empty one, in a database of its own."""
    from afrd.station.database import open_database, sqlite_url
    from afrd.station.store import Store

    engine = open_database(sqlite_url(tmp_path))
    yield Store(engine, tmp_path, "station")
    engine.dispose()


@pytest.fixture(scope="module")
def chromium():
    """A browser, for the tests of one file."""
    with browser() as chromium:
        yield chromium


@pytest.fixture
def serve(tmp_path):
    """Starts stations; they are ended with the test."""
    started: list[StationProcess] = []

    def start(station: Path, *options: str, data: Path = tmp_path / "station-data") -> StationProcess:
        started.append(StationProcess(station, data, *options))
        return started[-1]

    yield start
    for each in started:
        each.kill()

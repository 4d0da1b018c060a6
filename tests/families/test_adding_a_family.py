"""A family that nothing here knows: registered, it is trained, inspected, evaluated and reported like any other."""

import io
import re

import numpy as np
import pytest
import yaml
from safetensors.torch import load_file
from typer.testing import CliRunner

from afrd import Inspector, TrainConfig, evaluate, train, write_report
from afrd.card import Capabilities
from afrd.checkpoint import load_card
from afrd.cli import app
from afrd.datasets import open_dataset
from afrd.errors import ModelError, RunError
from afrd.export import export_run
from afrd.families import FAMILIES, family_of, register
from afrd.station import work
from afrd.station.snapshot import LEARNED
from toy_family import Toy, ToyConfig


@pytest.fixture(autouse=True)
def registered():
    register(Toy())
    yield
    FAMILIES.pop()


@pytest.fixture
def good(tiny):
    return open_dataset(tiny, "Confetto", "train")


@pytest.fixture
def run(tiny, good, tmp_path):
    config = TrainConfig(fusion="toy", cells=8, image_size=64, false_alarm_rate=0.2)
    assert type(config) is ToyConfig
    train(good, tmp_path / "run", config, holdout=open_dataset(tiny, "Confetto", "val"))
    return tmp_path / "run"


def test_it_is_trained_with_its_own_settings_and_the_card_carries_what_it_can_do(run):
    card = load_card(run)
    assert card.capabilities == Capabilities(evidence=True, leave_out=True, grow=True)
    assert card.config["cells"] == yaml.safe_load((run / "run.yaml").read_text())["config"]["cells"] == 8
    assert len(card.thresholds_without) == 6
    assert load_file(run / "model.safetensors")["mean"].shape == (6, 8, 8)


def test_it_is_inspected_with_evidence_and_without_a_light(run, tiny):
    inspector = Inspector.load(run, check_lights=False)
    capture = open_dataset(tiny, "Confetto", "test_public")[0]
    images = capture.images.copy()
    images[2, :, 24:40, 24:40] = 255
    images[2, :, :24, :24] = 0
    assert inspector.inspect(images).light_evidence.argmax() == 2
    without = inspector.inspect(images, missing=[inspector.lights.names[2]])
    assert without.threshold == inspector.card.thresholds_without[2]
    assert without.score == pytest.approx(inspector.inspect(capture.images, missing=[inspector.lights.names[2]]).score)


def test_it_is_evaluated_and_reported(run, tiny, tmp_path):
    test = open_dataset(tiny, "Confetto", "test_public")
    evaluation = evaluate(Inspector.load(run), test)
    assert np.isfinite(evaluation.image_auroc)
    write_report(tmp_path / "r.html", evaluation, test)
    assert "evidence" in (tmp_path / "r.html").read_text()


def test_it_is_exported_as_far_as_it_says(run, good, tmp_path):
    with pytest.raises(ModelError, match=r"is a toy model.*--fusion single:K, mean, paper-attention, attention"):
        export_run(run, good, tmp_path / "a.onnx", to="onnx", precision="int8")


def test_a_station_grows_it_as_its_family_says(run, good, tmp_path, monkeypatch):
    monkeypatch.setattr(work, "_told", io.StringIO())  # what a process says to the station
    further = [
        {"id": record.id, "role": LEARNED, "files": [str(path) for path in record.images], "lights": good.lights.names}
        for record in good.records[:2]
    ]
    task = {
        "run": str(run),
        "out": str(tmp_path / "grown"),
        "root": str(tmp_path),
        "captures": further,
        "before": [],
        "lights": load_card(run).lights.model_dump(mode="json"),
        "category": "Confetto",
        "ask": {"model": str(tmp_path / "grown"), "threshold": None, "on_light_fault": None, "captures": []},
    }
    work.grow_version(task | {"ask": task["ask"] | {"root": str(tmp_path), "review": {}}})
    assert load_card(tmp_path / "grown").captures == load_card(run).captures + 2
    counts = [int(load_file(folder / "model.safetensors")["count"]) for folder in (run, tmp_path / "grown")]
    assert counts == [len(good), len(good) + 2]


def test_a_family_that_cannot_grow_says_so(run, good, tmp_path):
    with pytest.raises(RunError, match="cannot grow, which the model nearest is not made for"):
        family_of("nearest").grow(run, good, tmp_path / "grown")


def test_it_is_continued_with_the_same_settings_only(run, tiny, good):
    with pytest.raises(RunError, match="cells: 8 → 4"):
        config = TrainConfig(fusion="toy", cells=4, image_size=64, false_alarm_rate=0.2)
        train(good, run, config, holdout=open_dataset(tiny, "Confetto", "val"), resume=True)


def test_the_command_line_offers_its_settings_where_they_act(tiny, tmp_path):
    shown = CliRunner().invoke(app, ["train", "--help"], terminal_width=200, env={"COLUMNS": "200"}).output
    assert "Toy model: --fusion toy" in shown and "--cells" in shown
    command = ["train", str(tiny), "--category", "Confetto", "--out", str(tmp_path / "r"), "--image-size", "64"]
    wrong = CliRunner().invoke(app, [*command, "--fusion", "mean", "--cells", "4"], env={"COLUMNS": "200"})
    assert wrong.exit_code == 2 and "--cells" in wrong.output and "acts on toy" in wrong.output
    done = CliRunner().invoke(app, [*command, "--fusion", "toy", "--cells", "4"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert load_card(tmp_path / "r").config["cells"] == 4


def test_settings_come_from_a_file_and_options_win(tiny, tmp_path):
    path = tmp_path / "toy.yaml"
    path.write_text("fusion: toy\ncells: 4\nimage_size: 64\nimaging: {bits: 8}\n")
    command = ["train", str(tiny), "--category", "Confetto", "--out", str(tmp_path / "r"), "--config", str(path)]
    done = CliRunner().invoke(app, [*command, "--cells", "2"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    found = load_card(tmp_path / "r").config
    assert (found["cells"], found["imaging"]["bits"]) == (2, 8)
    path.write_text("fusion: toy\nepochs: 4\n")
    wrong = CliRunner().invoke(app, command)
    assert re.search(r"toy.yaml: epochs: without effect on the model toy", str(wrong.exception))

"""Weights of lights.yaml, from the file to the model, the report and the study of lights."""

import shutil

import pytest
import yaml
from typer.testing import CliRunner

from afrd import light_study, open_dataset
from afrd.checkpoint import load_model
from afrd.cli import app
from afrd.errors import DatasetError
from noisy_parts import JOINT, LIGHTS, SIZE, write_parts


def weigh(root, **weights):
    """Writes lights.yaml: these weights, 1 for the others."""
    lights = [{"name": name, "weight": float(weights.get(name, 1))} for name in LIGHTS]
    (root / "lights.yaml").write_text(yaml.safe_dump({"lights": lights}))


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    root = tmp_path_factory.mktemp("weighed") / "parts"
    write_parts(root, [("train", "good", 10), ("val", "good", 4), ("test", "good", 6), ("test", "blot", 6)])
    weigh(root, a=0, b=0.01)
    return root


def run(*arguments):
    result = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_study_goes_by_the_weights(parts):
    good, held_out, test = (open_dataset(parts, split=split) for split in ("train", "val", "test"))
    with pytest.warns(UserWarning, match="weight 0 in lights.yaml: the study leaves out a$"):
        study = light_study(good, held_out, test, config=JOINT)
    assert study.lights == ("b", "c", "d")
    assert study.subset(("b",)).image_auroc == 1  # alone it is all that there is
    assert study.subset(("b", "c")).image_auroc < 0.9  # beside another it hardly counts, and it alone shows defects
    weigh(parts, a=0, c=0, d=0)
    with pytest.warns(UserWarning), pytest.raises(DatasetError, match="one light, b: there is nothing to choose"):
        light_study(open_dataset(parts), config=JOINT)
    weigh(parts, a=0, b=0.01)


def test_weights_reach_the_model_its_card_and_the_report(parts, tmp_path):
    shutil.copytree(parts, tmp_path / "parts")
    weigh(tmp_path / "parts", b=0.5, d=0.25)
    out, page = tmp_path / "run", tmp_path / "report.html"
    run("train", tmp_path / "parts", "--out", out, "--image-size", SIZE, "--fusion", "joint", "--lights", "b,c,d")
    model, card = load_model(out)
    assert card.lights.weights == model.weights == (0.5, 1, 0.25)
    run("report", out, tmp_path / "parts", "--split", "test", "--out", page)
    assert "<dt>Weights of the lights</dt><dd>b 0.5, c 1, d 0.25</dd>" in page.read_text()

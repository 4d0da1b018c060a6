"""Which lights are needed: on captures of which it is known, through Python, the command line and the page."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from afrd import light_study, open_dataset
from afrd.cli import app
from afrd.errors import DatasetError
from afrd.lighting.page import write_page
from afrd.model.marginal import marginal
from captures import write_lights
from noisy_parts import JOINT, LIGHTS, write_parts


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    root = tmp_path_factory.mktemp("parts") / "parts"
    write_parts(root, [("train", "good", 10), ("val", "good", 4), ("test", "good", 6), ("test", "blot", 6)])
    write_lights(root / "lights.yaml", LIGHTS)
    text = (root / "lights.yaml").read_text()
    (root / "lights.yaml").write_text(text.replace("name: b\n", "name: b\n  exposure_ms: 4\n  switching_ms: 1.5\n"))
    return root


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def study(parts, cache):
    good, held_out, test = (open_dataset(parts, split=split) for split in ("train", "val", "test"))
    return light_study(good, held_out, test, config=JOINT, cache_dir=cache)


def test_the_only_light_that_shows_the_defect_is_recommended(study):
    assert study.recommended == ("b",)
    assert study.subset(("b",)).image_auroc == 1
    assert study.subset(("b",)).image_by_kind == {"blot": 1}
    assert study.subset(("a",)).image_by_kind["blot"] == study.subset(("a",)).image_auroc
    assert study.subset(("a",)).image_auroc < 0.9
    assert len(study.subsets) == 15
    assert study.labelled
    by_light = {finding.light: finding for finding in study.findings}
    assert by_light["b"].found == by_light["b"].lost == 6
    assert by_light["b"].only >= 4 > by_light["a"].found


def test_copies_are_named_and_cycles_counted(study):
    assert study.alike == (("c", "d"),)
    assert study.sums == ()
    assert study.subset(("b",)).cycle_ms == 5.5
    assert study.subset(LIGHTS).cycle_ms == 35.5
    assert study.assumed == ("a", "c", "d")
    assert [each.lights for each in study.front] == [("b",)]
    assert "c and d show the same picture: one of them is enough" in "\n".join(study.words())
    both = "\n".join(replace(study, recommended=("b", "c", "d")).words())
    assert "c and d show nearly the same picture; c and d are recommended together all the same" in both
    assert "enough" not in both


def test_a_subset_scores_as_a_model_that_was_trained_on_these_lights(parts, cache, study, tmp_path):
    """Painted defects are drawn anew, shrinkage has the unit of all lights: near, not the same."""
    from afrd import Inspector, train

    good, held_out, test = (open_dataset(parts, split=split) for split in ("train", "val", "test"))
    config = JOINT.model_copy(update={"lights": ("a", "b")})
    card = train(good, tmp_path / "run", config, holdout=held_out)
    assert card.lights.names == ("a", "b")
    inspector = Inspector.load(tmp_path / "run", check_lights=False)
    seen = test.picked_for(inspector.lights).read_as(inspector.imaging)
    own = np.array([inspector.inspect_capture(capture).score for capture in seen])
    with pytest.raises(DatasetError, match=r"take the model's of them, captures.of_lights\(\('a', 'b'\)\)"):
        inspector.inspect_capture(test[0])

    from afrd.families import build_model
    from afrd.lighting.parts import TEST, Prepared
    from afrd.lighting.scores import SubsetScores

    (folder,) = [path for path in cache.iterdir() if path.name.startswith("lights-")]
    prepared = Prepared.load(folder, build_model(JOINT, 4))
    scores = SubsetScores(prepared)
    rows = [i for i, part in enumerate(prepared.parts) if part.of == TEST]
    assert scores[0, 1][rows].mean() == pytest.approx(own.mean(), rel=0.15)
    assert np.corrcoef(scores[0, 1][rows], own)[0, 1] > 0.95
    # of all lights it is the model itself
    with torch.inference_mode():
        whole = marginal(prepared.model, range(4))
        whole.learn_expectation(prepared.places.float().split(1))
        expected = whole.score_vectors(prepared.vectors[rows].float())
    np.testing.assert_allclose(scores[0, 1, 2, 3][rows], expected, rtol=1e-4)


def test_command_line_from_cache_json_page_and_training_on_the_choice(parts, cache, study, tmp_path):
    page, answer, run = tmp_path / "lights.html", tmp_path / "lights.json", tmp_path / "run"
    study.write_json(answer)
    found = json.loads(answer.read_text())
    assert set(found) == {"lights", "subsets", "alike", "recommended"}
    assert all(set(each) == {"lights", "image_auroc", "painted_auroc", "cycle_ms"} for each in found["subsets"])
    assert found["lights"] == ["a", "b", "c", "d"]
    assert found["alike"] == [["c", "d"]]
    assert found["recommended"] == ["b"]
    write_page(page, study)
    html = page.read_text()
    assert "1 of 4 lights: b" in html
    assert html.count("<svg") == 2
    assert "http://" not in html.replace("http://www.w3.org", "")
    result = CliRunner().invoke(
        app, ["train", str(parts), "--out", str(run), "--lights", "b, d", "--image-size", "64", "--fusion", "joint"]
    )
    assert result.exit_code == 0, result.output
    done = subprocess.run(
        [sys.executable, "-m", "afrd", "predict", run, parts / "test" / "blot", "--out", tmp_path / "answers"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 6
    result = CliRunner().invoke(app, ["evaluate", str(run), str(parts), "--split", "test"])
    assert result.exit_code == 0, result.output


def test_bad_input_is_named(parts):
    good = open_dataset(parts)
    with pytest.raises(DatasetError, match="one light, a: there is nothing to choose"):
        light_study(good.of_lights(["a"]), config=JOINT)
    with pytest.raises(DatasetError, match="no light 'e'; the lights are a, b, c, d"):
        good.of_lights(["a", "e"])
    with pytest.raises(DatasetError, match="light name used twice: a"):
        good.of_lights(["a", "a"])

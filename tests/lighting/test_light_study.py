"""Which lights are needed: on captures of which it is known, through Python, the command line and the page."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from afrd import Inspector, TrainConfig, light_study, open_dataset
from afrd.cli import app
from afrd.errors import DatasetError
from afrd.families import build_model
from afrd.lighting.parts import TEST, Prepared
from afrd.lighting.scores import SubsetScores
from captures import write_image, write_lights

LIGHTS, SIZE = ("a", "b", "c"), 64
JOINT = TrainConfig(fusion="joint", image_size=SIZE)


def write_parts(root, counts, seed=0):
    """Grey noise under three lights; c is a twice as bright, and a defect is to be seen under light b alone."""
    rng = np.random.default_rng(seed)
    for split, label, count in counts:
        for i in range(count):
            texture = rng.normal(0, 6, (2, SIZE // 2, SIZE // 2)).repeat(2, 1).repeat(2, 2)
            images = dict(zip("ab", 90 + texture, strict=True))
            images["c"] = 2 * images["a"]
            if label != "good":
                y, x = rng.integers(12, SIZE - 24, 2)
                images["b"][y : y + 12, x : x + 12] += 60
            for light, image in images.items():
                write_image(root / split / label / f"{i:02d}" / f"{light}.png", image.clip(0, 255).astype(np.uint8))


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
    assert study.subset(("a",)).image_auroc < 0.9
    assert study.subset(study.by_painted).painted_auroc > 0.5
    assert len(study.subsets) == 7
    assert study.labelled
    by_light = {finding.light: finding for finding in study.findings}
    assert by_light["b"].found == by_light["b"].lost == 6
    assert by_light["b"].only >= 4 > by_light["a"].found


def test_copies_are_named_and_cycles_counted(study):
    assert study.alike == (("a", "c"),)
    assert study.sums == ()
    assert study.subset(("b",)).cycle_ms == 5.5
    assert study.subset(LIGHTS).cycle_ms == 25.5
    assert study.assumed == ("a", "c")
    assert [each.lights for each in study.front] == [("b",)]
    assert "a and c show the same picture" in "\n".join(study.words())


def test_command_line_reads_the_cache_and_writes_json_and_page(parts, cache, study, tmp_path):
    page, answer = tmp_path / "lights.html", tmp_path / "lights.json"
    asked = ["lights", str(parts), "--image-size", "64", "--cache-dir", str(cache)]
    before = {path.name for path in cache.iterdir()}
    done = CliRunner().invoke(app, [*asked, "--out", str(page), "--json", str(answer)], catch_exceptions=False)
    assert {path.name for path in cache.iterdir()} == before
    assert done.output.startswith("Take b: I-AUROC 1.000 [1.000, 1.000] in 5.5 ms; all 3 lights ")
    found = json.loads(answer.read_text())
    assert set(found) == {"lights", "subsets", "alike", "recommended"}
    assert all(set(each) == {"lights", "image_auroc", "painted_auroc", "cycle_ms"} for each in found["subsets"])
    assert found["lights"] == ["a", "b", "c"]
    assert found["alike"] == [["a", "c"]]
    assert found["recommended"] == ["b"]
    html = page.read_text()
    assert "1 of 3 lights: b" in html
    assert html.count("<svg") == 2
    assert "http://" not in html.replace("http://www.w3.org", "")


def test_training_on_some_lights_gives_what_the_study_says(parts, cache, study, tmp_path):
    """Painted defects are drawn anew, shrinkage has the unit of all lights: near, not the same."""
    run, predicted = str(tmp_path / "run"), str(tmp_path / "answers")
    asked = [
        "train",
        str(parts),
        "--out",
        run,
        "--lights",
        "a, b",
        "--image-size",
        "64",
        "--fusion",
        "joint",
        "--folds",
        "0",
    ]
    assert CliRunner().invoke(app, asked, catch_exceptions=False).exit_code == 0
    inspector = Inspector.load(run, check_lights=False)
    assert inspector.lights.names == ("a", "b")
    test = open_dataset(parts, split="test")
    seen = test.picked_for(inspector.lights).read_as(inspector.imaging)
    own = np.array([inspector.inspect_capture(capture).score for capture in seen])
    with pytest.raises(DatasetError, match=r"take the model's of them, captures.of_lights\(\('a', 'b'\)\)"):
        inspector.inspect_capture(test[0])
    asked = ["predict", run, str(parts / "test" / "blot"), "--out", predicted]
    assert len(CliRunner().invoke(app, asked, catch_exceptions=False).stdout.splitlines()) >= 6
    asked = ["evaluate", run, str(parts), "--split", "test"]
    assert CliRunner().invoke(app, asked, catch_exceptions=False).exit_code == 0

    (folder,) = [path for path in cache.iterdir() if path.name.startswith("lights-")]
    prepared = Prepared.load(folder, build_model(JOINT, 3))
    scores = SubsetScores(prepared)
    rows = [i for i, part in enumerate(prepared.parts) if part.of == TEST]
    assert scores[0, 1][rows].mean() == pytest.approx(own.mean(), rel=0.15)
    assert np.corrcoef(scores[0, 1][rows], own)[0, 1] > 0.95


def test_bad_input_is_named(parts):
    good = open_dataset(parts)
    with pytest.raises(DatasetError, match="one light, a: there is nothing to choose"):
        light_study(good.of_lights(["a"]), config=JOINT)
    with pytest.raises(DatasetError, match="no light 'e'; the lights are a, b, c"):
        good.of_lights(["a", "e"])
    with pytest.raises(DatasetError, match="light name used twice: a"):
        good.of_lights(["a", "a"])

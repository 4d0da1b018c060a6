"""`afrd lights` as it is typed, and what a study says without a defective part."""

import json

import pytest
from typer.testing import CliRunner

from afrd import light_study, open_dataset
from afrd.cli import app
from afrd.lighting.page import write_page
from captures import write_lights
from noisy_parts import JOINT, LIGHTS, SIZE, write_parts


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    root = tmp_path_factory.mktemp("typed") / "parts"
    write_parts(root, [("train", "good", 10), ("val", "good", 4), ("test", "good", 4), ("test", "blot", 4)])
    write_lights(root / "lights.yaml", LIGHTS)
    return root


@pytest.mark.slow
def test_the_command_writes_page_and_json_the_same_twice(parts, tmp_path):
    answers = []
    for i in range(2):
        page, answer = tmp_path / f"{i}.html", tmp_path / f"{i}.json"
        asked = ["lights", parts, "--out", page, "--json", answer, "--image-size", SIZE, "--cache-dir", tmp_path / "c"]
        result = CliRunner().invoke(app, list(map(str, asked)), catch_exceptions=False)
        assert result.exit_code == 0, result.output
        assert "Take b: I-AUROC 1.000" in result.output
        assert f"wrote {page}" in result.output
        assert "1 of 4 lights: b" in page.read_text()
        answers.append(answer.read_text())
    assert answers[0] == answers[1]
    assert json.loads(answers[0])["recommended"] == ["b"]


def test_without_a_defective_part_painted_defects_decide(parts, tmp_path):
    study = light_study(open_dataset(parts), open_dataset(parts, split="val"), config=JOINT)
    assert not study.labelled
    assert all(each.image_auroc is None and not each.image_by_kind for each in study.subsets)
    chosen = study.subset(study.recommended)
    assert chosen.value == chosen.painted_auroc > 0.5
    assert study.by_painted == study.recommended
    assert set(chosen.painted_by_kind) == {"stain", "relief", "rough", "line", "patch"}
    words = "\n".join(study.words())
    assert f"by {study.bad} captures with a painted defect and {study.good} without one" in words
    assert "painted defects decide, which are not your defects" in words
    write_page(tmp_path / "lights.html", study)
    html = (tmp_path / "lights.html").read_text()
    assert "<dd>painted defects</dd>" in html
    assert "Defects of the test captures" not in html
    study.write_json(tmp_path / "lights.json")
    assert {each["image_auroc"] for each in json.loads((tmp_path / "lights.json").read_text())["subsets"]} == {None}

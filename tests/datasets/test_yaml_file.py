"""A key that stands twice in a YAML file is named with its line: YAML itself would take the last."""

from pathlib import Path

import pytest

from afrd.comparison.suite import load_suite
from afrd.datasets import check_dataset
from afrd.datasets.roi import read_shapes
from afrd.datasets.yaml_file import YamlFile
from afrd.errors import AfrdError
from afrd.render.rig_file import read_rig
from afrd.station.config import load_station
from afrd.yaml_model import read_yaml
from captures import write_folder

TWICE = {
    "two lists": ("lights: [{name: left}]\nlights: [{name: top}]\n", 2, "lights", 1),
    "in a list": ("lights:\n  - {name: left}\n  - {name: right, name: top}\n", 3, "name", 3),
    "deep": ("a:\n  b: {c: 1,\n    d: 2,\n    c: 3}\n", 4, "c", 2),
    "in quotes": ('a: 1\n"a": 2\n', 2, "a", 1),
    "numbers": ("1: a\n2: b\n1: c\n", 3, "1", 1),
}


@pytest.mark.parametrize("case", TWICE)
def test_a_key_that_stands_twice_is_named_with_both_lines(tmp_path: Path, case: str) -> None:
    text, line, key, before = TWICE[case]
    path = tmp_path / "some.yaml"
    path.write_text(text)
    with pytest.raises(AfrdError) as error:
        YamlFile(path, "")
    said = f"line {line}: {key} was given in line {before} already; expected once; keep one of the two"
    assert str(error.value) == f"{path}: {said}"


def test_check_lists_it(tmp_path: Path) -> None:
    write_folder(tmp_path, size=8)
    (tmp_path / "lights.yaml").write_text("lights: [{name: left}, {name: right}, {name: top, name: top}]\n")
    (problem,) = check_dataset(tmp_path)
    assert problem.path == tmp_path / "lights.yaml"
    assert problem.what == "line 1: name was given in line 1 already; expected once"


@pytest.mark.parametrize("reads", [read_yaml, lambda path: load_suite(str(path)), load_station, read_rig, read_shapes])
def test_whatever_file_a_user_writes(tmp_path: Path, reads) -> None:
    """Run configurations, suites, stations, rigs and regions."""
    path = tmp_path / "given.yaml"
    path.write_text("model: run\nseed: 1\nmodel: other\n")
    with pytest.raises(AfrdError, match=r"given\.yaml: line 3: model was given in line 1 already"):
        reads(path)


def test_equal_keys_in_different_mappings_and_anchors_are_sound(tmp_path: Path) -> None:
    path = tmp_path / "some.yaml"
    path.write_text("a: &one {name: 1, other: 2}\nb: {<<: *one, name: 3}\nc: [*one, *one]\nd: &round [*round]\n")
    value = YamlFile(path, "").value
    assert value["b"] == {"name": 3, "other": 2} and value["c"] == [value["a"]] * 2


@pytest.mark.parametrize("text", ["[" * 100_000, "a:\n" + "- " * 100_000, "{a: " * 500 + "}" * 500])
def test_what_lies_too_deep_is_refused_before_it_ends_the_process(tmp_path: Path, text: str) -> None:
    path = tmp_path / "some.yaml"
    path.write_text(text)
    with pytest.raises(AfrdError, match=r"line [12]: more than 100 lists and mappings within each other"):
        YamlFile(path, "")

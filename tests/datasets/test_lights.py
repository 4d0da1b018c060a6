"""Where the lights of a data set come from: a `lights.yaml` in the category or around it, however it is opened."""

import math
from pathlib import Path

import pytest

from afrd.capture import LightRig
from afrd.datasets import EYECANDIES_LIGHTS, check_dataset, open_dataset, read_captures
from afrd.errors import DatasetError
from captures import write_eyecandies, write_folder, write_lights

RENDERED = """lights:
- name: all_spots
  direction: null
- name: bottom
  direction:
  - 0.0
  - -0.7071067811865476
  - 0.7071067811865476
- name: right
  direction:
  - 0.7071067811865476
  - 0.0
  - 0.7071067811865476
- name: top
  direction:
  - 0.0
  - 0.7071067811865476
  - 0.7071067811865476
- name: left
  direction:
  - -0.7071067811865476
  - 0.0
  - 0.7071067811865476
- name: light_box
  direction: null
"""


@pytest.mark.parametrize("home", [".", "Confetto"])
def test_rendered_data_set_has_directions(tmp_path: Path, home: str) -> None:
    write_eyecandies(tmp_path, counts={"train": (1, 0)}, size=8)
    (tmp_path / "lights.yaml").write_text(RENDERED)
    (tmp_path / "render.yaml").write_text("recipe: 1\nseed: 0\nsize: 8\n")
    lights = open_dataset(tmp_path / home).lights
    assert lights.names == EYECANDIES_LIGHTS
    half = math.sqrt(0.5)
    for k, direction in {1: (0, -half, half), 2: (half, 0, half), 3: (0, half, half), 4: (-half, 0, half)}.items():
        assert lights.directions[k] == pytest.approx(direction)
    for k in (0, 5):
        assert all(math.isnan(value) for value in lights.directions[k])
    assert check_dataset(tmp_path) == []


def test_category_opened_alone_has_the_lights_of_its_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("low", "high", "box")
    write_eyecandies(tmp_path / "a", counts={"train": (1, 0)}, size=8, lights=3)
    write_folder(tmp_path / "b" / "screws", {"train": {"good": 1}}, lights=sorted(names), size=8)
    for root in (tmp_path / "a", tmp_path / "b"):
        write_lights(root / "lights.yaml", names, {"low": (0, -1, 0)})
    for category in (tmp_path / "a" / "Confetto", tmp_path / "b" / "screws"):
        monkeypatch.chdir(category)
        for root in (category, category.parent, Path(), Path("..") / category.name, Path("..")):
            lights = open_dataset(root).lights
            assert lights.names == names
            assert lights.directions[0] == (0, -1, 0)
        monkeypatch.chdir(category / "train")
        assert open_dataset("..").lights.names == names
    monkeypatch.chdir(tmp_path / "a/Confetto/train/data")
    assert len(read_captures(["."], LightRig(names))) == 1


def test_a_category_has_its_own_lights_before_those_around_it(tmp_path: Path) -> None:
    write_eyecandies(tmp_path, counts={"train": (1, 0)}, size=8, lights=2)
    write_lights(tmp_path / "lights.yaml", ["left", "right", "top"])
    write_lights(tmp_path / "Confetto" / "lights.yaml", ["left", "right"])
    assert open_dataset(tmp_path).lights.names == ("left", "right")


@pytest.mark.parametrize("name", ["le\\ft", 'le"ft'])
def test_names_from_files_are_held_to_the_rule_of_the_lights_file(tmp_path: Path, name: str) -> None:
    write_folder(tmp_path, size=8, lights=(name, "top"))
    faults = [problem for problem in check_dataset(tmp_path) if "no name for a light" in problem.what]
    assert [fault.path for fault in faults] == [tmp_path / f"train/good/000/{name}.png"]
    assert faults[0].fix == "rename the files of this light, of every capture alike"
    with pytest.raises(DatasetError, match=r"is no name for a light; expected one without /, .*; rename the files"):
        open_dataset(tmp_path)
    write_lights(tmp_path / "lights.yaml", (name, "top"))
    with pytest.raises(DatasetError, match=r"lights\.0\.name: String should match pattern"):
        open_dataset(tmp_path)

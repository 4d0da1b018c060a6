"""Parts photographed more than once: `{group}` in the pattern."""

import zlib
from pathlib import Path

import pytest

from afrd.capture import LightRig
from afrd.datasets import check_dataset, open_dataset, read_captures
from afrd.datasets.pattern import Name, Pattern
from afrd.errors import DatasetError
from captures import write_folder, write_image

LIGHTS = ("left", "right", "top")


def write_groups(root: Path, pattern: str, parts: dict[str, dict[str, int]], label: str = "good") -> None:
    """parts: split → group → number of captures, with ids 0, 1, … in every group."""
    for split, groups in parts.items():
        for group, count in groups.items():
            named = pattern.replace("{group}", group)
            write_folder(
                root / "one",
                {split: {label: count}},
                size=8,
                pattern="{id}_{light}.png",
                seed=zlib.crc32(f"{split} {group}".encode()),
            )
            for path in (root / "one" / split / label).iterdir():
                capture, light = path.stem.split("_")
                target = root / "data" / split / label / named.format(id=int(capture), light=light)
                target.parent.mkdir(parents=True, exist_ok=True)
                path.rename(target)


@pytest.mark.parametrize(
    "pattern", ["{group}/{id}/{light}.png", "{group}_{id}_{light}.png", "{light}/{id}-{group}.png"]
)
def test_captures_of_a_part_are_one_group(tmp_path, pattern):
    write_groups(tmp_path, pattern, {"train": {"part_1": 2, "part_2": 3, "b10": 1}})
    found = open_dataset(tmp_path / "data", pattern=pattern)
    assert found.groups == ["good-b10"] + ["good-part_1"] * 2 + ["good-part_2"] * 3
    assert [record.id for record in found.records][:3] == ["good-b10-0", "good-part_1-0", "good-part_1-1"]
    assert found.lights.names == LIGHTS
    assert found.subset([0, 4]).groups == ["good-b10", "good-part_2"]
    assert check_dataset(tmp_path / "data", pattern=pattern) == []
    unknown = read_captures([tmp_path / "data/train/good"], LightRig(LIGHTS), pattern=pattern)
    assert unknown.groups == ["b10"] + ["part_1"] * 2 + ["part_2"] * 3


def test_without_groups_every_capture_is_a_part(tmp_path):
    write_folder(tmp_path, {"train": {"good": 3}}, size=8)
    assert open_dataset(tmp_path).groups == ["good-000", "good-001", "good-002"]


def test_known_lights_decide_and_the_group_has_the_rest():
    named = Pattern("{group}_{id}_{light}.png", ("spots", "all_spots", "top"))
    assert named.match("part_1_2_all_spots.png") == (Name("2", "part_1"), "all_spots")
    assert named.match("part_1_2_spots.png") == (Name("2", "part_1"), "spots")
    assert named.match("part_1_2_side.png") == (Name("2", "part_1"), "side")
    assert Pattern("{group}_{id}_{light}.png").match("part_1_2_top.png") == (Name("2", "part_1"), "top")
    assert named.match("2_top.png") is None


def test_masks_are_named_after_group_and_id(tmp_path):
    pattern = "{group}/{id}_{light}.png"
    write_groups(tmp_path, pattern, {"test": {"a": 1, "b": 1}}, label="scratch")
    mask = next((tmp_path / "one/masks/scratch").iterdir())
    for group in ("a", "b"):
        target = tmp_path / f"data/masks/scratch/{group}-0.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(mask.read_bytes())
    found = open_dataset(tmp_path / "data", split="test", pattern=pattern)
    assert [record.mask.name for record in found.records] == ["a-0.png", "b-0.png"]
    assert found.groups == ["scratch-a", "scratch-b"]


@pytest.mark.parametrize("above", ["", "monday/"])
def test_a_group_without_a_capture_is_an_error(tmp_path, above):
    pattern = above + "{group}/{id}/{light}.png"
    write_groups(tmp_path, pattern, {"train": {"a": 2, "b": 1}})
    empty = tmp_path / f"data/train/good/{above}c"
    (empty / "0").mkdir(parents=True)
    (empty / "note.txt").touch()
    (tmp_path / "data/train/good/tuesday/d").mkdir(parents=True)  # of a pattern that is not given
    if not above:
        (tmp_path / "data/train/good/tuesday").rename(tmp_path / "tuesday")
    (problem,) = check_dataset(tmp_path / "data", pattern=pattern)
    assert (problem.path, problem.what) == (empty, "group c has no capture")
    with pytest.raises(DatasetError, match=r"good/.*c: group c has no capture; put its captures there as"):
        open_dataset(tmp_path / "data", pattern=pattern)


def test_a_light_that_is_missing_names_the_file_in_its_group(tmp_path):
    pattern = "{group}/{id}/{light}.png"
    write_groups(tmp_path, pattern, {"train": {"a": 2, "b": 2}})
    gone = tmp_path / "data/train/good/b/1/top.png"
    gone.unlink()
    (problem,) = check_dataset(tmp_path / "data", pattern=pattern)
    assert problem.path == gone
    assert "missing for capture b-1" in problem.what


def test_a_group_in_two_splits_is_found_by_check(tmp_path):
    pattern = "{group}/{id}/{light}.png"
    write_groups(tmp_path, pattern, {"train": {"a": 2, "b": 2}, "val": {"b": 2}, "test": {"c": 1, "a": 1}})
    problems = check_dataset(tmp_path / "data", pattern=pattern)
    assert [problem.what.partition(", such")[0] for problem in problems] == [
        "group good-b also has captures in another split",
        "group good-a also has captures in another split",
    ]
    assert problems[0].path == tmp_path / "data/val/good/b/0/left.png"


def test_two_captures_that_come_out_with_one_name_are_no_one_capture(tmp_path):
    for group, own in (("a-b", "c"), ("a", "b-c")):
        for light in LIGHTS:
            image = open_image(tmp_path)
            write_image(tmp_path / f"data/train/good/{group}/{own}/{light}.png", image ^ len(own))
    (problem,) = check_dataset(tmp_path / "data", pattern="{group}/{id}/{light}.png")
    assert "duplicate id good-a-b-c" in problem.what


def open_image(tmp_path: Path):
    written = write_folder(tmp_path / "other", {"train": {"good": 1}}, size=8)
    return written["train", "good-000"].images[0]


def test_a_pattern_has_one_group():
    with pytest.raises(DatasetError, match=r"has \{group\} twice"):
        Pattern("{group}/{group}_{id}_{light}.png")

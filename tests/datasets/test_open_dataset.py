"""What is written to disk in either layout comes back: pixels, labels, masks, lights and order."""

import math
import os
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from afrd.capture import Capture, LightRig
from afrd.datasets import CaptureSet, categories, check_dataset, open_dataset, splits
from afrd.datasets.eyecandies import read_metadata
from afrd.errors import DatasetError
from captures import EYECANDIES_LIGHTS, write_eyecandies, write_folder, write_image, write_lights

TEN = (
    *("CandyCane", "ChocolateCookie", "ChocolatePraline", "Confetto", "GummyBear"),
    *("HazelnutTruffle", "LicoriceSandwich", "Lollipop", "Marshmallow", "PeppermintCandy"),
)


def _same(capture: Capture, written: object) -> None:
    assert capture.id == written.id
    np.testing.assert_array_equal(capture.images, written.images)
    assert capture.images.dtype == written.images.dtype
    assert capture.anomalous is written.anomalous
    assert capture.defects == ((written.defect,) if written.defect else ())
    np.testing.assert_array_equal(capture.mask, written.mask)
    for defect, mask in capture.defect_masks.items():
        assert defect == written.defect
        np.testing.assert_array_equal(mask, written.mask)


@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_eyecandies_comes_back_as_written(tmp_path: Path, width: int) -> None:
    counts = {"train": (11 if width > 1 else 3, 0), "val": (1, 0), "test_public": (2, 4)}
    written = write_eyecandies(tmp_path, ["Confetto"], counts, size=16, width=width)
    for split, (good, bad) in counts.items():
        found = open_dataset(tmp_path, "Confetto", split)
        assert len(found) == good + bad
        assert found.lights.names == EYECANDIES_LIGHTS
        assert found.lights.directions is None
        assert found.labels == [False] * good + [True] * bad
        for capture in found:
            _same(capture, written["Confetto", split, capture.id])
    assert [list(capture.defect_masks) for capture in found][2:] == [["bumps"], ["colors"], ["dents"], ["normals"]]
    assert check_dataset(tmp_path) == []


def test_images_are_ordered_by_number_where_indices_differ_in_width(tmp_path: Path) -> None:
    write_eyecandies(tmp_path, counts={"train": (12, 0)}, size=8, width=1)
    assert [record.id for record in open_dataset(tmp_path).records] == [str(i) for i in range(12)]


def test_all_ten_classes_and_any_other(tmp_path: Path) -> None:
    write_eyecandies(tmp_path, [*TEN, "Screw"], {"train": (1, 0)}, size=8)
    assert categories(tmp_path) == [*TEN, "Screw"]
    for name in (*TEN, "Screw"):
        found = open_dataset(tmp_path, name)
        assert (found.category, found.split, len(found)) == (name, "train", 1)


def test_private_test_split_has_no_labels_even_beside_mask_files(tmp_path: Path) -> None:
    write_eyecandies(tmp_path, counts={"test_private": (1, 1)}, size=16)
    data = tmp_path / "Confetto" / "test_private" / "data"
    write_image(data / "000_mask.png", np.ones((16, 16), bool))
    (data / "000_metadata.yaml").write_text("anomalous: 1\n")
    found = open_dataset(tmp_path, split="test_private")
    assert found.labels == [None, None]
    assert [(capture.mask, capture.defects) for capture in found] == [(None, ()), (None, ())]
    assert check_dataset(tmp_path) == []


def test_lights_file_at_the_root_gives_names_number_and_unit_directions(tmp_path: Path) -> None:
    write_eyecandies(tmp_path, counts={"train": (2, 0)}, size=8, lights=3)
    with pytest.raises(DatasetError, match=r"000_image_3\.png: light top is missing"):
        open_dataset(tmp_path)
    write_lights(tmp_path / "lights.yaml", ["low", "high", "box"], {"low": (0, -3, 0), "high": (0, 1, 1)})
    lights = open_dataset(tmp_path, "Confetto").lights
    assert lights.names == ("low", "high", "box")
    assert lights.directions[0] == (0, -1, 0)
    assert lights.directions[1] == pytest.approx((0, math.sqrt(0.5), math.sqrt(0.5)))
    assert all(math.isnan(value) for value in lights.directions[2])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("anomalous: 0\nbumps: 0\ncolors: 0\ndents: 0\nnormals: 0", (False, ())),
        ("anomalous: 1\nbumps: 0\ncolors: 1\ndents: 0\nnormals: 1", (True, ("colors", "normals"))),
        ("anomalous: true\nbumps: true\ndents: no", (True, ("bumps",))),
        ("anomalous: 1\nbumps_mask: 1\ndents_anomaly: false\nnormals_path: a.png", (True, ("bumps",))),
        ("anomalous: 1\nseed: 5\nbumpsy: 1\ncolor_space: 1", (True, ())),
    ],
)
def test_metadata_spellings(tmp_path: Path, text: str, expected: tuple) -> None:
    (tmp_path / "000_metadata.yaml").write_text(text)
    assert read_metadata(tmp_path / "000_metadata.yaml") == expected


@pytest.mark.parametrize("nested", [False, True])
def test_folder_comes_back_as_written(tmp_path: Path, nested: bool) -> None:
    home = tmp_path / "screws" if nested else tmp_path
    written = write_folder(home, size=16)
    assert splits(tmp_path) == ["train", "val", "test"]
    seen = set()
    for split in ("train", "val", "test"):
        found = open_dataset(tmp_path, split=split)
        assert found.lights == LightRig(("left", "right", "top"))
        assert found.category == home.name
        for capture in found:
            _same(capture, written[split, capture.id])
            seen.add((split, capture.id))
    assert seen == set(written)
    assert list(found[3].defect_masks) == ["scratch"]
    assert check_dataset(tmp_path) == []


def test_folder_without_masks_knows_only_the_good_ones(tmp_path: Path) -> None:
    write_folder(tmp_path, {"test": {"good": 1, "scratch": 1}}, masks=False)
    good, bad = open_dataset(tmp_path, split="test")
    assert good.mask is not None and not good.mask.any()
    assert bad.anomalous and bad.mask is None and not bad.defect_masks


def test_lights_file_orders_the_lights(tmp_path: Path) -> None:
    written = write_folder(tmp_path, size=16)
    write_lights(tmp_path / "lights.yaml", ["top", "left", "right"], {"top": (0, 2, 0)})
    found = open_dataset(tmp_path)
    assert found.lights.names == ("top", "left", "right")
    np.testing.assert_array_equal(found[0].images, written["train", "good-000"].images[[2, 0, 1]])


def test_a_models_lights_are_picked_in_its_order(tmp_path: Path) -> None:
    written = write_folder(tmp_path, {"train": {"good": 1}}, lights=("left", "right", "top"))
    captures = open_dataset(tmp_path)
    for names in (("top", "left"), ("top", "left", "right")):
        picked = captures.picked_for(LightRig(names))
        order = [("left", "right", "top").index(name) for name in names]
        assert picked.lights.names == names
        np.testing.assert_array_equal(picked[0].images, written["train", "good-000"].images[order])
    assert captures.picked_for(LightRig(("left", "right", "top"))) is captures
    assert captures.picked_for(LightRig(("left", "ring"))) is captures


def test_numbered_lights_sort_by_value(tmp_path: Path) -> None:
    names = [str(number) for number in range(1, 12)]
    write_folder(tmp_path, {"train": {"good": 2}}, lights=names, size=8)
    assert open_dataset(tmp_path).lights.names == tuple(names)


@pytest.mark.parametrize(
    "pattern", ["{id}_{light}.png", "{light}/{id}.tif", "{light}_{id}.bmp", "part-{id}/x/{light}.webp"]
)
def test_pattern(tmp_path: Path, pattern: str) -> None:
    written = write_folder(tmp_path, size=16, pattern=pattern)
    for split in ("train", "test"):
        for capture in open_dataset(tmp_path, split=split, pattern=pattern):
            if pattern.endswith(".webp"):
                assert capture.images.shape == written[split, capture.id].images.shape
            else:
                _same(capture, written[split, capture.id])


@pytest.mark.parametrize("pattern", ["{id}_{light}.png", "{light}_{id}.png"])
def test_names_that_hold_the_separator_need_known_lights(tmp_path: Path, pattern: str) -> None:
    lights = ["left", "top", "top_left", "left_top"]
    written = write_folder(
        tmp_path, {"train": {"good": 2}}, lights=lights, size=8, pattern=pattern.replace("{id}", "no_{id}")
    )
    write_lights(tmp_path / "lights.yaml", lights)
    found = open_dataset(tmp_path, pattern=pattern)
    assert [record.id for record in found.records] == ["good-no_000", "good-no_001"]
    np.testing.assert_array_equal(found[1].images, written["train", "good-001"].images)


def test_a_star_in_a_pattern_stands_for_anything(tmp_path: Path) -> None:
    write_folder(tmp_path, {"train": {"good": 2}}, size=8, pattern="2024-05-0{id}/shot_{id}_{light}_raw.png")
    found = open_dataset(tmp_path, pattern="*/shot_{id}_{light}_*")
    assert [record.id for record in found.records] == ["good-000", "good-001"]


def test_test_and_test_public_stand_for_each_other(tmp_path: Path) -> None:
    write_eyecandies(tmp_path / "a", counts={"test_public": (1, 1)}, size=8)
    write_folder(tmp_path / "b", {"test": {"good": 1}}, size=8)
    assert open_dataset(tmp_path / "a", split="test").split == "test_public"
    assert open_dataset(tmp_path / "b", split="test_public").split == "test"


def test_captures_may_differ_in_size_but_not_their_lights(tmp_path: Path) -> None:
    write_folder(tmp_path, {"train": {"good": 1}}, size=8)
    write_folder(tmp_path, {"test": {"good": 1, "dent": 1}}, size=24)
    assert open_dataset(tmp_path)[0].size == (8, 8)
    assert open_dataset(tmp_path, split="test")[1].size == (24, 24)


def test_hidden_and_other_files_are_left_alone(tmp_path: Path) -> None:
    write_folder(tmp_path, {"train": {"good": 1}}, size=8)
    for name in (".DS_Store", "notes.txt", "000/.top.png", "000/settings.json"):
        (tmp_path / "train" / "good" / name).write_text("x")
    (tmp_path / ".git").mkdir()
    assert len(open_dataset(tmp_path)) == 1
    assert check_dataset(tmp_path) == []


def test_subset_and_slice_keep_order_and_decode_the_same(tmp_path: Path) -> None:
    write_folder(tmp_path, {"train": {"good": 5}}, size=8)
    found = open_dataset(tmp_path)
    picked = found.subset([3, 1])
    assert [record.id for record in picked.records] == ["good-003", "good-001"]
    np.testing.assert_array_equal(picked[0].images, found[3].images)
    assert [record.id for record in found[1:3].records] == ["good-001", "good-002"]
    assert isinstance(found[1:3], CaptureSet)
    with pytest.raises(IndexError):
        found[5]
    assert len(pickle.loads(pickle.dumps(found))) == 5  # worker processes get it so


def test_digest_follows_content_names_and_labels_but_not_the_place(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_folder(tmp_path / name, size=8)
    digest = open_dataset(tmp_path / "a", split="test").digest()
    assert open_dataset(tmp_path / "b", split="test").digest() == digest
    assert open_dataset(tmp_path / "a", split="train").digest() != digest

    image = tmp_path / "b" / "test" / "good" / "001" / "top.png"
    times, content = image.stat(), image.read_bytes()
    pixels = open_dataset(tmp_path / "b", split="test")[1].images[2].copy()
    pixels[0, 0, 0] ^= 1
    write_image(image, pixels)
    assert open_dataset(tmp_path / "b", split="test").digest() != digest
    image.write_bytes(content)
    os.utime(image, (times.st_atime, times.st_mtime + 100))
    assert open_dataset(tmp_path / "b", split="test").digest() == digest

    write_lights(tmp_path / "b" / "lights.yaml", ["left", "top", "right"])
    assert open_dataset(tmp_path / "b", split="test").digest() != digest
    write_lights(tmp_path / "b" / "lights.yaml", ["left", "right", "top"])
    assert open_dataset(tmp_path / "b", split="test").digest() == digest

    image.parent.rename(image.parent.parent / "009")
    assert open_dataset(tmp_path / "b", split="test").digest() != digest


def test_digest_follows_the_names_of_lights_that_no_file_name_holds(tmp_path: Path) -> None:
    write_eyecandies(tmp_path, counts={"train": (1, 0)}, size=8, lights=2)
    digests = set()
    for names in (["left", "right"], ["right", "left"]):
        write_lights(tmp_path / "lights.yaml", names)
        digests.add(open_dataset(tmp_path).digest())
    assert len(digests) == 2


def test_sixteen_bit_captures_stay_sixteen_bit(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 65536, (2, 9, 7, 3), np.uint16)
    folder = tmp_path / "train" / "good" / "000"
    folder.mkdir(parents=True)
    for light, image in zip(("a", "b"), images, strict=True):
        cv2.imwrite(str(folder / f"{light}.png"), image[..., ::-1])
    capture = open_dataset(tmp_path)[0]
    assert capture.images.dtype == np.uint16
    np.testing.assert_array_equal(capture.images, images.transpose(0, 3, 1, 2))


def test_metadata_yaml_as_written_by_hand_may_hold_more(tmp_path: Path) -> None:
    write_eyecandies(tmp_path, counts={"test_public": (0, 1)}, size=8)
    path = tmp_path / "Confetto" / "test_public" / "data" / "000_metadata.yaml"
    path.write_text(yaml.safe_dump({"anomalous": True, "bumps": True, "dents": True, "camera": {"f": 711.11}}))
    capture = open_dataset(tmp_path, split="test_public")[0]
    assert capture.defects == ("bumps", "dents")
    assert sorted(capture.defect_masks) == ["bumps", "dents"]
    assert not capture.defect_masks["dents"].any()

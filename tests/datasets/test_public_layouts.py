"""Public multi-light data sets come out of their own layouts as captures: lights, labels, masks, parts."""

import json
import random
import shutil

import numpy as np
import pytest

from afrd.capture import LightRig
from afrd.datasets import check_dataset, open_dataset, read_captures, splits
from afrd.errors import DatasetError
from captures import write_image, write_lights
from layouts import (
    AD2_LIGHTS,
    write_light_folders,
    write_m2ad,
    write_mvtec_ad2,
    write_psad,
    write_real_iad_d3,
    write_vision,
)


def test_m2ad_has_views_lights_and_the_authors_split(tmp_path):
    written = write_m2ad(tmp_path)
    assert check_dataset(tmp_path) == []
    assert splits(tmp_path) == ["train", "test"]
    train, test = open_dataset(tmp_path), open_dataset(tmp_path, split="test")
    names = [f"bird_{i:03d}" for i in range(10)]
    random.seed(42)  # as their script
    random.shuffle(names)
    assert set(train.groups) == {f"Good-{name}" for name in names[:6]}
    assert set(test.groups) == {f"Good-{name}" for name in names[6:]} | {f"NG-bird_{i:03d}" for i in range(4)}
    assert train.lights.names == ("01", "02", "03")
    assert train.views and [record.view for record in train.records][:2] == ["001", "002"]
    for capture in test:
        np.testing.assert_array_equal(capture.images, written[capture.id])
    bad = {record.id: record.anomalous for record in test.records if record.group == "NG-bird_001"}
    assert bad == {"NG-bird_001-001": False, "NG-bird_001-002": True}
    assert test[len(test) - 1].mask.any()


def test_m2ad_a_bad_part_without_any_mask_and_a_name_without_a_light(tmp_path):
    write_m2ad(tmp_path, bad=1)
    for mask in (tmp_path / "Bird/GT/bird_000").iterdir():
        mask.unlink()
    image = tmp_path / "Bird/Good/bird_003/V001_L01.png"
    image.rename(image.with_name("top.png"))
    problems = {problem.what: problem.path.name for problem in check_dataset(tmp_path)}
    assert problems["no view and light in its name"] == "top.png"
    assert problems["no view of the bad part bird_000 has a mask that marks anything"] == "bird_000"
    assert problems["light 01 is missing for capture Good-bird_003-001"] == "V001_L01.png"


def test_psad_has_directions_and_leaves_normals_alone_unless_asked_for(tmp_path):
    written = write_psad(tmp_path)
    assert check_dataset(tmp_path) == []
    test = open_dataset(tmp_path, split="test")
    assert test.lights.names == ("1", "2", "3", "4")
    np.testing.assert_allclose(test.lights.directions[0], (0.5**0.5, 0, 0.5**0.5))
    for capture in test:
        np.testing.assert_array_equal(capture.images, written[f"test/{capture.id}"])
        assert capture.mask.any() == capture.anomalous
    unknown = read_captures([tmp_path / "cap/test/dent"], LightRig(("1", "2", "3", "4")))
    assert [record.id for record in unknown.records] == ["000", "001", "002"]
    write_lights(tmp_path / "cap/lights.yaml", ["1", "2", "3", "4", "normal"])
    assert open_dataset(tmp_path)[0].images.shape[0] == 5


def test_what_psad_and_light_folders_do_not_read_is_named(tmp_path):
    write_psad(tmp_path / "psad", size=8)
    write_light_folders(tmp_path / "lights", size=8)
    cap, scene = tmp_path / "psad/cap", tmp_path / "lights/scene_1"
    image = np.zeros((8, 8), np.uint8)
    strays = {
        cap: ["train/1.png", "test/dent/9.png", "test/good/001/more/1.png"],
        scene: ["low/train/7.png", "medium/test/abnormal/more/003.png"],
    }
    masks = {
        cap: ["ground_truth/dent/007.png", "ground_truth/dents/001.png", "ground_truth/dent/001.bmp"],
        scene: ["low/ground_truth/abnormal/007.png", "low/ground_truth/good/001.png"],
    }
    for root in (cap, scene):
        for name in (*strays[root], *masks[root]):
            write_image(root / name, image)
        (root / masks[root][0]).with_suffix(".txt").write_text("no image")
        found = check_dataset(root.parent)
        assert {p.path / p.what.rpartition(" ")[2] for p in found if "where none is read" in p.what} == {
            root / name for name in strays[root]
        }
        assert {p.path for p in found if p.what == "mask with no capture"} == {root / name for name in masks[root]}
        assert len(found) == len(strays[root]) + len(masks[root])


@pytest.mark.parametrize("lights", [("regular",), AD2_LIGHTS])
def test_splits_without_labels_are_read_as_their_layout_says(tmp_path, lights):
    write_mvtec_ad2(tmp_path, size=8, lights=lights)
    rig = open_dataset(tmp_path).lights
    for light in set(lights) - {"regular"}:
        for image in (tmp_path / "vial/test_private").glob("*_regular.png"):
            shutil.copy(image, image.with_name(image.name.replace("regular", light)))
    found = read_captures([tmp_path / "vial/test_private"], rig)
    assert [r.id for r in found.records] == [r.id for r in open_dataset(tmp_path, split="test_private").records]
    assert len(found) == 2 and found.labels == [None, None] and found[1].images.shape[0] == len(lights)
    public = [read_captures([tmp_path / "vial/test_public"], rig), open_dataset(tmp_path, split="test_public")]
    assert [r.images for r in public[0].records] == [r.images for r in public[1].records]
    assert set(public[0].labels) == {None} and public[0].records[-1].mask is None
    some = read_captures([tmp_path / "vial/validation"], LightRig(lights[-1:]), other_lights=True)
    assert {record.images[0].stem[3:] for record in some.records} == {f"_{lights[-1]}"}
    with pytest.raises(DatasetError, match=r"vial: the lights are not the model's"):
        read_captures([tmp_path / "vial/test_private"], LightRig(("cam",)))


def test_every_image_of_visions_inference_is_a_capture(tmp_path):
    write_vision(tmp_path, size=8)
    write_image(tmp_path / "Ring/inference/000001.png", np.zeros((3, 8, 8), np.uint8))
    found = read_captures([tmp_path / "Ring/inference"], LightRig(("image",)))
    assert [record.id for record in found.records] == ["000000", "000001"] and found.labels == [None, None]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 0 1\n0 1 1\n", "2 directions for 4 lights"),
        ("1 0 1\n0 1\n0 0 1\n1 1 1\n", "line 2: '0 1' is no direction"),
        ("1 0 1\n0 1 1\n0 0 1\n1 1 1\n", "other directions than those of the category's first capture"),
    ],
)
def test_psad_directions_that_do_not_fit(tmp_path, text, said):
    write_psad(tmp_path)
    file = tmp_path / "cap/train/good/004/light_directions.txt"
    file.write_text(text)
    (problem,) = check_dataset(tmp_path)
    assert (problem.path, problem.what) == (file, said)


def test_mvtec_ad2_is_learned_under_one_light_and_tried_under_others(tmp_path):
    write_mvtec_ad2(tmp_path)
    assert check_dataset(tmp_path) == []
    assert splits(tmp_path) == ["train", "val", "test_public", "test_private", "test_private_mixed"]
    test = open_dataset(tmp_path, split="test")
    assert test.lights.names == ("regular",)
    assert [record.id for record in test.records][:2] == ["good-000_overexposed", "good-000_regular"]
    assert len(test) == 16 and len(set(test.groups)) == 4 and not test.views
    assert all(capture.mask.any() == capture.anomalous for capture in test)
    assert open_dataset(tmp_path, split="test_private").labels == [None, None]


def test_mvtec_ad2_captures_of_several_lights(tmp_path):
    lights = ("overexposed", "regular", "shift_1", "underexposed")
    write_mvtec_ad2(tmp_path, lights=lights)
    test = open_dataset(tmp_path, split="test_public")
    assert test.lights.names == ("regular", "overexposed", "shift_1", "underexposed")
    assert [record.id for record in test.records] == ["good-000", "good-001", "bad-000", "bad-001"]
    (tmp_path / "vial/test_public/bad/001_shift_1.png").unlink()
    (tmp_path / "vial/test_public/ground_truth/bad/000_regular_mask.png").unlink()
    with pytest.raises(DatasetError, match=r"000_regular_mask.png: mask of the bad capture bad-000 is missing"):
        open_dataset(tmp_path, split="test_public")


def test_real_iad_d3_takes_lights_labels_and_masks_by_its_json(tmp_path):
    raw = write_real_iad_d3(tmp_path)
    assert check_dataset(raw) == []
    assert splits(raw) == ["train", "val", "test"]
    test = open_dataset(raw, "fuse_holder", "test")
    assert test.lights.names == ("L01", "L02", "L03", "L04")
    assert [record.defects for record in test.records] == [()] * 3 + [("scratch",)] * 3
    assert all(capture.mask.any() == capture.anomalous for capture in test)
    next((raw / "fuse_holder/train/OK/rgb/S0002").glob("*L03*")).unlink()
    with pytest.raises(DatasetError, match=r"S0002_L03_RGB.png: light L03 is missing for capture train-OK-rgb-S0002"):
        open_dataset(raw)


def test_a_category_without_a_capture_is_a_problem_of_it(tmp_path):
    raw = write_real_iad_d3(tmp_path)
    (tmp_path / "realiad_d3_jsons/fuse_holder.json").write_text('{"train": [], "validation": [], "test": []}')
    (problem,) = check_dataset(raw)
    assert "holds no capture in any of train, val, test" in str(problem)


def test_real_iad_d3_json_that_leads_out_or_is_none(tmp_path):
    raw = write_real_iad_d3(tmp_path)
    path = tmp_path / "realiad_d3_jsons/fuse_holder.json"
    value = json.loads(path.read_text())
    value["train"][0]["image_path"] = "../../secret.png"
    path.write_text(json.dumps(value))
    with pytest.raises(DatasetError, match=r"fuse_holder.json: image_path '../../secret.png' leaves the data set"):
        open_dataset(raw)
    path.write_text('{"train": [')
    with pytest.raises(DatasetError, match=r"fuse_holder.json: line 1: "):
        open_dataset(raw)


def test_vision_draws_its_masks_from_coco(tmp_path):
    write_vision(tmp_path)
    assert check_dataset(tmp_path) == []
    assert splits(tmp_path) == ["train", "test", "inference"]
    assert open_dataset(tmp_path).labels == [False] * 10
    test = open_dataset(tmp_path, split="test")
    expected = np.zeros((32, 32), bool)
    expected[8:16, 4:20] = True
    bad = [capture for capture in test if capture.anomalous]
    assert len(bad) == 5 and not test[2].mask.any()
    np.testing.assert_array_equal(bad[0].mask, expected)  # run lengths
    union = (bad[1].mask | expected).sum()
    assert (bad[1].mask & expected).sum() >= 0.8 * union  # a polygon, to a pixel
    assert list(bad[0].defect_masks) == ["scratch"]
    digest = test.digest()
    path = tmp_path / "Ring/val/_annotations.coco.json"
    path.write_text(path.read_text().replace("[[4, 8,", "[[5, 8,"))
    assert open_dataset(tmp_path, split="test").digest() != digest


def test_vision_without_a_good_part_and_with_masks_that_cannot_be_drawn(tmp_path):
    write_vision(tmp_path, good=0)
    with pytest.raises(DatasetError, match=r"no image without an annotated defect; put pictures .* into .*Ring/good"):
        open_dataset(tmp_path)
    path = tmp_path / "Ring/train/_annotations.coco.json"
    value = json.loads(path.read_text())
    value["annotations"][0]["segmentation"]["counts"] = "abc"
    path.write_text(json.dumps(value))
    with pytest.raises(DatasetError, match=r"coco.json: a mask of compressed run lengths; unpack it"):
        open_dataset(tmp_path, split="test")


def test_light_folders_make_captures_of_equal_ids(tmp_path):
    written = write_light_folders(tmp_path)
    assert check_dataset(tmp_path) == []
    test = open_dataset(tmp_path, split="test")
    assert test.lights.names == ("low", "medium", "high")
    for capture in test:
        np.testing.assert_array_equal(capture.images, written[f"test/{capture.id}"])
        assert capture.mask.any() == capture.anomalous
    gone = tmp_path / "scene_1/medium/train/good/003.png"
    gone.unlink()
    (problem,) = check_dataset(tmp_path)
    assert problem.path == gone and problem.what == "light medium is missing for capture good-003"

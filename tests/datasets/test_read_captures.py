"""Captures without labels: found by name in every way a station may lay them down, in the model's order of lights."""

from pathlib import Path

import numpy as np
import pytest

from afrd.capture import LightRig
from afrd.datasets import check_dataset, open_dataset, read_captures
from afrd.errors import DatasetError
from afrd.imaging import Imaging, Pixels
from breaking import truncate
from captures import EYECANDIES_LIGHTS, write_eyecandies, write_folder, write_image, write_lights

MODEL = LightRig(("top", "left", "right"))
RIG = LightRig(EYECANDIES_LIGHTS)


@pytest.fixture
def parts(tmp_path: Path) -> tuple[Path, dict]:
    written = write_folder(tmp_path, {"train": {"good": 3}}, lights=["left", "right", "top"], size=16)
    return tmp_path / "train" / "good", {key[1].removeprefix("good-"): value for key, value in written.items()}


def test_capture_folders_one_by_one_and_their_parent(parts: tuple[Path, dict]) -> None:
    folder, written = parts
    for found in (read_captures([folder / "002", folder / "000"], MODEL), read_captures([folder], MODEL)):
        assert found.lights == MODEL
        for capture in found:
            np.testing.assert_array_equal(capture.images, written[capture.id].images[[2, 0, 1]])
            assert (capture.anomalous, capture.mask, capture.defects) == (None, None, ())
    assert [record.id for record in found.records] == ["000", "001", "002"]
    assert [record.id for record in read_captures([folder / "002", folder / "000"], MODEL).records] == ["002", "000"]
    assert found.digest() != read_captures([folder / "002"], MODEL).digest()


def test_relative_paths_work_as_well(parts: tuple[Path, dict], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = parts
    absolute = read_captures([folder], MODEL).digest()
    monkeypatch.chdir(folder)
    assert read_captures(["."], MODEL).digest() == absolute
    monkeypatch.chdir(folder / "001")
    assert read_captures(["."], MODEL).records[0].id == "001"


@pytest.mark.parametrize("place", ["test_public", "test_public/data"])
def test_eyecandies_split_or_data_folder(tmp_path: Path, place: str) -> None:
    written = write_eyecandies(tmp_path, size=16, width=2)
    found = read_captures([tmp_path / "Confetto" / place], RIG)
    assert len(found) == 6
    for capture in found:
        np.testing.assert_array_equal(capture.images, written["Confetto", "test_public", capture.id].images)
        assert capture.anomalous is None and capture.mask is None


def test_eyecandies_lights_follow_the_lights_file(tmp_path: Path) -> None:
    write_eyecandies(tmp_path, counts={"train": (1, 0)}, size=8, lights=3)
    write_lights(tmp_path / "lights.yaml", ["left", "right", "top"])
    data = tmp_path / "Confetto" / "train" / "data"
    with pytest.raises(
        DatasetError, match=r"data: .*found left, right, top; the model has top, left, right; list them"
    ):
        read_captures([data], MODEL)
    assert len(read_captures([data], LightRig(("left", "right", "top")))) == 1


def test_single_capture_with_eyecandies_names(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 3, 8, 8), np.uint8)
    for k, image in enumerate(images):
        write_image(tmp_path / "part7" / f"image_{k}.png", image)
    (capture,) = read_captures([tmp_path / "part7"], RIG)
    assert capture.id == "part7"
    np.testing.assert_array_equal(capture.images, images)
    with pytest.raises(DatasetError, match="part7: the lights are not the model's"):
        read_captures([tmp_path / "part7"], MODEL)


def test_pattern_applies_below_the_path(tmp_path: Path) -> None:
    lights = ["left", "right", "top"]
    written = write_folder(tmp_path, {"train": {"good": 2}}, lights=lights, size=8, pattern="{light}/{id}.bmp")
    found = read_captures([tmp_path / "train"], MODEL, pattern="good/{light}/{id}.bmp")
    assert [record.id for record in found.records] == ["000", "001"]
    np.testing.assert_array_equal(found[1].images, written["train", "good-001"].images[[2, 0, 1]])


def test_images_that_do_not_fit_a_pattern_are_told(tmp_path: Path) -> None:
    """They may be meant to lie there, or be captures that are never judged."""
    write_folder(tmp_path, {"train": {"good": 2}}, lights=MODEL.names, size=8, pattern="{id}_{light}.png")
    good = tmp_path / "train/good"
    for name in ("003-top.png", "003-left.png", "notes.txt"):
        (good / name).write_bytes((good / "000_top.png").read_bytes())
    told = r'good: 2 image\(s\) do not fit the pattern "{id}_{light}.png" and are left alone, such as 003-left.png'
    with pytest.warns(UserWarning, match=told):
        assert len(read_captures([good], MODEL, pattern="{id}_{light}.png")) == 2
    with pytest.warns(UserWarning, match=told):
        assert check_dataset(tmp_path, pattern="{id}_{light}.png") == []


def test_a_split_is_read_as_the_guide_says(tmp_path: Path) -> None:
    """`afrd predict run parts/test`: ids are those of `evaluate`."""
    written = write_folder(tmp_path, lights=["left", "right", "top"], size=16)
    found = read_captures([tmp_path / "test"], MODEL)
    assert [record.id for record in found.records] == [r.id for r in open_dataset(tmp_path, split="test").records]
    for capture in found:
        np.testing.assert_array_equal(capture.images, written["test", capture.id].images[[2, 0, 1]])
        assert (capture.anomalous, capture.mask, capture.defects) == (None, None, ())


def test_ids_that_clash_have_their_folders_name_in_front(tmp_path: Path) -> None:
    write_folder(tmp_path, lights=["left", "right", "top"], size=16)
    good, scratch = tmp_path / "test/good", tmp_path / "test/scratch"

    def ids(*paths: Path) -> list[str]:
        return [record.id for record in read_captures(paths, MODEL).records]

    assert ids(scratch, good) == ["scratch-000", "scratch-001", "good-000", "good-001", "good-002"]
    assert ids(scratch / "001", good / "001") == ["scratch-001", "good-001"]
    assert ids(scratch / "001", good / "002") == ["001", "002"]
    (tmp_path / "new").mkdir()
    (tmp_path / "test/stain/000").rename(tmp_path / "new/part7")
    assert ids(scratch, tmp_path / "new", good)[1:4] == ["scratch-001", "part7", "good-000"]


def test_clashing_groups_are_different_parts(tmp_path: Path) -> None:
    write_folder(tmp_path, {"test": {"good": 1, "dent": 1}}, lights=["left", "right", "top"], size=16)
    found = read_captures([tmp_path / "test/good", tmp_path / "test/dent"], MODEL, pattern="{group}{id}/{light}.png")
    assert [record.id for record in found.records] == ["good-00-0", "dent-00-0"]
    assert found.groups == ["good-00", "dent-00"]


def test_faults_name_the_file_and_the_mend(parts: tuple[Path, dict], tmp_path: Path) -> None:
    folder, _ = parts
    with pytest.raises(DatasetError, match=r"duplicate id 001, also of .*; rename one"):
        read_captures([folder, folder / "001"], MODEL)
    with pytest.raises(DatasetError, match="no captures given; name at least one folder"):
        read_captures([], MODEL)
    with pytest.raises(DatasetError, match="absent: no such folder; give a folder that holds one image per light"):
        read_captures([tmp_path / "absent"], MODEL)
    with pytest.raises(DatasetError, match=r"top\.png: is a file; give a folder"):
        read_captures([folder / "001" / "top.png"], MODEL)
    with pytest.raises(DatasetError, match=r"good: holds no image; captures that lie deeper are given .* as .*good$"):
        read_captures([folder.parent.parent], MODEL)
    with pytest.raises(DatasetError, match=r"no file fits the pattern .*found 000/left\.png.*; name the files"):
        read_captures([folder], MODEL, pattern="{id}_{light}.png")
    (tmp_path / "split/good/000").mkdir(parents=True)
    with pytest.raises(DatasetError, match="split/good/000: holds no image; give folders that hold one image per"):
        read_captures([tmp_path / "split"], MODEL)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="empty: holds no image; give a folder"):
        read_captures([tmp_path / "empty"], MODEL)
    write_image(folder / "000" / "top.png", np.zeros((3, 8, 9), np.uint8))
    with pytest.raises(DatasetError, match=r"top\.png.* of the same capture is .*crop them alike"):
        read_captures([folder], MODEL)
    (folder / "000" / "top.png").rename(folder / "000" / "flash.png")
    with pytest.raises(DatasetError, match=r"flash\.png: unknown light flash in capture 000; .*\(and 1 more\)"):
        read_captures([folder], MODEL)
    (folder / "000" / "flash.png").unlink()
    with pytest.raises(DatasetError, match=r"000/top\.png: light top is missing for capture 000; add the image"):
        read_captures([folder], MODEL)
    (folder / "000" / "more").mkdir()
    with pytest.raises(DatasetError, match=r"000: holds images and folders \(more\); give"):
        read_captures([folder / "000"], MODEL)


def test_a_light_out_of_order_is_not_read_and_black_stands_for_it(parts: tuple[Path, dict]) -> None:
    folder, written = parts
    (folder / "000" / "top.png").unlink()
    truncate(folder / "001" / "top.png")
    write_image(folder / "002" / "top.png", np.zeros((3, 8, 9), np.uint8))
    whole = read_captures([folder], MODEL, missing=["top"])
    assert [record.id for record in whole.records] == ["000", "001", "002"]
    for capture in (*whole, *whole.subset([1]), *whole.of_lights(["right", "top", "left"])):
        order = [("left", "right", "top").index(light) for light in capture.lights.names]
        expected = written[capture.id].images.copy()
        expected[2] = 0
        np.testing.assert_array_equal(capture.images, expected[order])
    assert len(whole.digest()) == 64
    with pytest.raises(DatasetError, match=r"light top is missing for capture 000; add .*by --missing top \(and 2"):
        read_captures([folder], MODEL, missing=())
    with pytest.raises(DatasetError, match=r"light top is missing for capture 000; add .* others \(and 2"):
        read_captures([folder], MODEL)
    (folder / "000" / "left.png").unlink()
    with pytest.raises(DatasetError, match=r"000/left\.png: light left is missing for capture 000; add"):
        read_captures([folder], MODEL, missing=["top"])
    truncate(folder / "001" / "left.png")
    with pytest.raises(DatasetError, match=r"001/left\.png: truncated"):
        _ = read_captures([folder / "001"], MODEL, missing=["top"])[0]
    with pytest.raises(DatasetError, match="missing light flash: the lights are top, left, right; name one"):
        read_captures([folder], MODEL, missing=["flash"])
    with pytest.raises(DatasetError, match="no light is left; name fewer"):
        read_captures([folder], MODEL, missing=MODEL.names)


def test_a_light_out_of_order_in_the_other_layouts(tmp_path: Path) -> None:
    write_eyecandies(tmp_path, counts={"test_public": (2, 0)}, size=8)
    data = tmp_path / "Confetto" / "test_public" / "data"
    written = read_captures([data], RIG)[1].images.copy()
    (data / "001_image_3.png").unlink()
    found = read_captures([data], RIG, missing=["top"])[1].images
    written[3] = 0
    np.testing.assert_array_equal(found, written)
    for k, light in enumerate(RIG.names):
        if (data / f"001_image_{k}.png").exists():
            (data / f"001_image_{k}.png").rename(tmp_path / f"part_1_{light}.png")
    (by_name,) = read_captures([tmp_path], RIG, pattern="{id}_{light}.png", missing=["top"])
    np.testing.assert_array_equal(by_name.images, written)


def test_a_dead_pixel_is_repaired_beside_a_light_out_of_order(tmp_path: Path) -> None:
    for light in MODEL.names:
        image = np.full((3, 16, 16), 90, np.uint8)
        image[:, 5, 7] = 255
        write_image(tmp_path / "a" / f"{light}.png", image)
    (tmp_path / "a" / "left.png").unlink()
    imaging = Imaging(pixels=Pixels(bits=8), repairs=True)
    (capture,) = read_captures([tmp_path / "a"], MODEL, missing=["left"]).read_as(imaging)
    assert capture.replaced == ((7, 5),)
    assert (capture.images[[0, 2]] == 90).all() and not capture.images[1].any()

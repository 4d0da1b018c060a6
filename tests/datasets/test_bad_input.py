"""Every fault in a data set ends in one error that names the file and the mend, and `check_dataset` lists all of them.

Each case breaks a sound data set in one way. Faults that names, labels and headers show are raised when the data set is
opened; damage inside of an image when the capture is decoded.
"""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from afrd.capture import LightRig
from afrd.datasets import check_dataset, open_dataset, require_lights
from afrd.errors import DatasetError
from captures import write_eyecandies, write_folder, write_image


def _resize(path: Path) -> None:
    with Image.open(path) as image:
        resized = image.resize((20, 14))
    resized.save(path)


def _sixteen_bit(path: Path) -> None:
    cv2.imwrite(str(path), np.zeros((16, 16, 3), np.uint16))


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def _copy(source: str, target: str) -> Callable[[Path], None]:
    def copy(home: Path) -> None:
        (home / target).parent.mkdir(parents=True, exist_ok=True)
        (home / target).write_bytes((home / source).read_bytes())

    return copy


def _on(name: str, change: Callable[[Path], None]) -> Callable[[Path], None]:
    return lambda home: change(home / name)


def _text(name: str, text: str) -> Callable[[Path], None]:
    return lambda home: (home / name).write_text(text)


# case: (break it, split, file named in the error, what, mend)
FOLDER_FAULTS = {
    "light missing": (
        _on("train/good/001/top.png", Path.unlink),
        "train",
        "train/good/001/top.*",
        "light top is missing for capture 001",
        "add the image",
    ),
    "unknown light": (
        _copy("train/good/001/top.png", "train/good/001/flash.png"),
        "train",
        "train/good/001/flash.png",
        "unknown light flash in capture 001; the lights are left, right, top",
        "remove or rename",
    ),
    "two images for a light": (
        _copy("train/good/001/top.png", "train/good/001/top.bmp"),
        "train",
        "train/good/001/top.png",
        "a second image for light top of capture 001, beside top.bmp",
        "remove one of them",
    ),
    "sizes differ between lights": (
        _on("train/good/001/top.png", _resize),
        "train",
        "train/good/001/top.png",
        "20×14, but left.png of the same capture is 16×16",
        "crop them alike",
    ),
    "depths differ between lights": (
        _on("train/good/001/top.png", _sixteen_bit),
        "train",
        "train/good/001/top.png",
        "16-bit, but left.png of the same capture is 8-bit",
        "one depth",
    ),
    "mask of another size": (
        _on("masks/scratch/001.png", _resize),
        "test",
        "masks/scratch/001.png",
        "mask of 20×14, but its images are 16×16",
        "draw it on the image",
    ),
    "mask with no capture": (
        _copy("masks/scratch/001.png", "masks/scratch/007.png"),
        "test",
        "masks/scratch/007.png",
        "mask with no capture",
        "or remove it",
    ),
    "mask of an unknown type": (
        _copy("masks/scratch/001.png", "masks/rust/001.png"),
        "test",
        "masks/rust/001.png",
        "mask with no capture",
        "or remove it",
    ),
    "mask for a good capture": (
        _copy("masks/scratch/001.png", "masks/good/001.png"),
        "test",
        "masks/good/001.png",
        "mask for a good capture",
        "remove it",
    ),
    "mask in no type's folder": (
        _copy("masks/scratch/001.png", "masks/001.png"),
        "test",
        "masks/001.png",
        "mask outside of masks/<defect type>/",
        "move it",
    ),
    "two masks": (
        _copy("masks/scratch/001.png", "masks/scratch/001.tif"),
        "test",
        "masks/scratch/001.tif",
        "a second mask",
        "remove one",
    ),
    "not an image": (
        _text("train/good/001/top.png", "hello"),
        "train",
        "train/good/001/top.png",
        "is not a PNG, JPEG, WebP, TIFF or BMP image",
        "replace it",
    ),
    "anomalous in train": (
        _copy("train/good/001/top.png", "train/scratch/000/top.png"),
        "train",
        "train/scratch",
        "anomalous captures in train, which holds good parts only",
        "move the folder to test/scratch",
    ),
    "anomalous in val": (
        _copy("train/good/001/top.png", "val/scratch/000/top.png"),
        "val",
        "val/scratch",
        "anomalous captures in val",
        "move the folder to test/scratch",
    ),
    "image beside the captures": (
        _copy("train/good/001/top.png", "train/good/002.png"),
        "train",
        "train/good",
        'do not fit the pattern "{id}/{light}.*": 002.png',
        "move them",
    ),
    "image beside the labels": (
        _copy("train/good/001/top.png", "train/x.png"),
        "train",
        "train",
        "outside of the folder of a label, such as x.png",
        "move them",
    ),
    "lights.yaml is no YAML": (
        _text("lights.yaml", "lights:\n  - name: [top\n"),
        "train",
        "lights.yaml",
        "line 3: ",
        'write "lights: [{name: top',
    ),
    "lights.yaml with an unknown key": (
        _text("lights.yaml", "lights:\n  - {name: left}\n  - {name: top,\n     angle: 30}\n"),
        "train",
        "lights.yaml",
        "line 4: lights.1.angle: Extra inputs are not permitted",
        'write "lights: [{name: top',
    ),
    "lights.yaml with one light": (
        _text("lights.yaml", "lights:\n- name: left\n"),
        "train",
        "lights.yaml",
        "line 2: lights: List should have at least 2 items",
        'write "lights: [{name: top',
    ),
    "lights.yaml with a name twice": (
        _text("lights.yaml", "lights: [{name: top}, {name: top}]"),
        "train",
        "lights.yaml",
        "light name used twice: top",
        'write "lights: [{name: top',
    ),
    "lights.yaml with a name that cannot be shown": (
        _text("lights.yaml", 'lights: [{name: top}, {name: "le\\nft"}]'),
        "train",
        "lights.yaml",
        "lights.1.name: String should match pattern",
        'write "lights: [{name: top',
    ),
    "lights.yaml with a direction of zero": (
        _text("lights.yaml", "lights:\n- {name: top}\n- {name: left, direction: [0, 0, 0]}"),
        "train",
        "lights.yaml",
        "line 3: lights.1.direction",
        'write "lights: [{name: top',
    ),
    "lights.yaml is empty": (_text("lights.yaml", ""), "train", "lights.yaml", "line 1: ", 'write "lights: [{name'),
}


@pytest.mark.parametrize("case", FOLDER_FAULTS)
def test_folder_faults(tmp_path: Path, case: str) -> None:
    fault, split, file, what, mend = FOLDER_FAULTS[case]
    write_folder(tmp_path, size=16)
    fault(tmp_path)
    with pytest.raises(DatasetError) as error:
        open_dataset(tmp_path, split=split)
    for part in (str(tmp_path / file), what, mend):
        assert part in str(error.value)
    assert any(what in str(problem) for problem in check_dataset(tmp_path))


DATA = "Confetto/test_public/data/"
EYECANDIES_FAULTS = {
    "light missing": (
        _on(DATA + "001_image_4.png", Path.unlink),
        DATA + "001_image_4.png",
        "light left is missing for capture 001",
        "add the image",
    ),
    "unknown light": (
        _copy(DATA + "001_image_4.png", DATA + "001_image_6.png"),
        DATA + "001_image_6.png",
        "unknown light image_6 in capture 001",
        "remove or rename",
    ),
    "duplicate id": (
        lambda home: [_copy(f"{DATA}001_image_{k}.png", f"{DATA}1_image_{k}.png")(home) for k in range(6)],
        DATA + "1_image_0.png",
        "duplicate id: capture 1 beside capture 001",
        "renumber",
    ),
    "mask with no capture": (
        _copy(DATA + "004_mask.png", DATA + "077_mask.png"),
        DATA + "077_mask.png",
        "mask with no capture",
        "or remove it",
    ),
    "mask of another size": (
        _on(DATA + "004_mask.png", _resize),
        DATA + "004_mask.png",
        "mask of 20×14, but its images are 16×16",
        "draw it on the image",
    ),
    "mask missing": (
        _on(DATA + "004_mask.png", Path.unlink),
        DATA + "004_mask.png",
        "mask of the anomalous capture 004 is missing",
        "restore it",
    ),
    "label missing": (
        _on(DATA + "004_metadata.yaml", Path.unlink),
        DATA + "004_metadata.yaml",
        "the label of capture 004 is missing",
        "restore it",
    ),
    "label is no YAML": (
        _text(DATA + "004_metadata.yaml", "anomalous: 1\nbumps: {"),
        DATA + "004_metadata.yaml",
        "line 2: ",
        'write "anomalous: 0"',
    ),
    "label is another value": (
        _text(DATA + "004_metadata.yaml", "bumps: 1\nanomalous: yes, a bit"),
        DATA + "004_metadata.yaml",
        "line 2: anomalous is 'yes, a bit', expected 0 or 1",
        'write "anomalous: 0"',
    ),
    "label without the key": (
        _text(DATA + "004_metadata.yaml", "bumps: 1"),
        DATA + "004_metadata.yaml",
        "no key anomalous",
        'write "anomalous: 0"',
    ),
    "label with a date that is none": (
        _text(DATA + "004_metadata.yaml", "taken: 2024-13-45"),
        DATA + "004_metadata.yaml",
        "month must be in 1..12",
        'write "anomalous: 0"',
    ),
    "label contradicts itself": (
        _text(DATA + "004_metadata.yaml", "dents: 1\nanomalous: 0"),
        DATA + "004_metadata.yaml",
        "line 2: anomalous is 0, but dents is set",
        'write "anomalous: 0"',
    ),
    "sizes differ between lights": (
        _on(DATA + "001_image_4.png", _resize),
        DATA + "001_image_4.png",
        "20×14, but 001_image_0.png of the same capture is 16×16",
        "crop them alike",
    ),
    "lights.yaml is wrong": (
        _text("lights.yaml", "lights:\n- {name: 1}\n- {name: b}"),
        "lights.yaml",
        "line 2: lights.0.name: Input should be a valid string",
        'write "lights: [{name: top',
    ),
}


@pytest.mark.parametrize("case", EYECANDIES_FAULTS)
def test_eyecandies_faults(tmp_path: Path, case: str) -> None:
    fault, file, what, mend = EYECANDIES_FAULTS[case]
    write_eyecandies(tmp_path, size=16)
    fault(tmp_path)
    with pytest.raises(DatasetError) as error:
        open_dataset(tmp_path, split="test_public")
    for part in (str(tmp_path / file), what, mend):
        assert part in str(error.value)
    assert any(what in str(problem) for problem in check_dataset(tmp_path))


def test_anomalous_capture_in_an_eyecandies_train_split(tmp_path: Path) -> None:
    write_eyecandies(tmp_path, counts={"train": (2, 1), "val": (0, 1)}, size=16)
    for split, index in (("train", "002"), ("val", "000")):
        with pytest.raises(DatasetError) as error:
            open_dataset(tmp_path, split=split)
        assert f"{index}_metadata.yaml: anomalous capture in {split}" in str(error.value)
        assert "move the capture to test_public" in str(error.value)


@pytest.mark.parametrize("name", ["train/good/001/top.png", "masks/scratch/001.png"])
def test_truncated_file_opens_but_does_not_decode(tmp_path: Path, name: str) -> None:
    write_folder(tmp_path, size=16)
    _truncate(tmp_path / name)
    split = "train" if name.startswith("train") else "test"
    found = open_dataset(tmp_path, split=split)
    with pytest.raises(DatasetError) as error:
        list(found)
    assert f"{tmp_path / name}: truncated PNG; replace it" in str(error.value)
    assert [str(problem) for problem in check_dataset(tmp_path)] == [str(error.value)]


def test_mask_that_marks_a_good_capture(tmp_path: Path) -> None:
    write_eyecandies(tmp_path, size=16)
    path = tmp_path / DATA / "000_mask.png"
    mask = np.zeros((16, 16), bool)
    mask[3, 4:6] = True
    write_image(path, mask)
    with pytest.raises(DatasetError, match=r"000_mask\.png: marks 2 pixels of a good capture; correct the label or"):
        open_dataset(tmp_path, split="test_public")[0]
    assert [problem.path for problem in check_dataset(tmp_path)] == [path]


def test_jpeg_mask_is_refused(tmp_path: Path) -> None:
    write_folder(tmp_path, size=16)
    with Image.open(tmp_path / "masks/stain/000.png") as mask:
        mask.save(tmp_path / "masks/stain/000.jpg")
    (tmp_path / "masks/stain/000.png").unlink()
    with pytest.raises(DatasetError, match=r"000\.jpg: a JPEG mask.*save it as PNG"):
        open_dataset(tmp_path, split="test")


@pytest.mark.parametrize(
    ("lights", "said"), [(["one"], r"1 light \(one\)"), ([f"l{i}" for i in range(17)], "17 light")]
)
def test_too_few_and_too_many_lights(tmp_path: Path, lights: list[str], said: str) -> None:
    write_folder(tmp_path, {"train": {"good": 2}}, lights=lights, size=8)
    with pytest.raises(DatasetError, match=rf"{said}.*photograph each part under 2 to 16 lights"):
        open_dataset(tmp_path)


def test_empty_splits(tmp_path: Path) -> None:
    (tmp_path / "a" / "Confetto" / "train" / "data").mkdir(parents=True)
    with pytest.raises(DatasetError, match=r"train/data: holds no capture; expected files such as 000_image_0\.png"):
        open_dataset(tmp_path / "a")
    (tmp_path / "b" / "train").mkdir(parents=True)
    with pytest.raises(DatasetError, match=r"b/train: holds no capture; put good parts into .*train/good/<id>/"):
        open_dataset(tmp_path / "b")
    (tmp_path / "c" / "train" / "good").mkdir(parents=True)
    with pytest.raises(DatasetError, match=r"train/good: no file fits the pattern .*: the folder is empty; name the"):
        open_dataset(tmp_path / "c")


def test_no_data_set_says_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "holiday").mkdir()
    with pytest.raises(DatasetError) as error:
        open_dataset(tmp_path)
    for part in (str(tmp_path), "looked for", "/data/<index>_image_0.png", "good/<id>/<light>.png", "found holiday"):
        assert part in str(error.value)
    with pytest.raises(DatasetError, match="absent: no such folder; give the folder of a data set"):
        open_dataset(tmp_path / "absent")
    with pytest.raises(DatasetError, match="no data set"):
        check_dataset(tmp_path)


def test_category_split_and_layout_that_are_not_there(tmp_path: Path) -> None:
    write_eyecandies(tmp_path, ["Confetto", "Lollipop"], {"train": (1, 0)}, size=8)
    with pytest.raises(DatasetError, match=r"several categories; name one with --category: Confetto, Lollipop"):
        open_dataset(tmp_path)
    with pytest.raises(DatasetError, match=r"no category 'Lolipop'; name one of those there: Confetto, Lollipop"):
        open_dataset(tmp_path, "Lolipop")
    with pytest.raises(DatasetError, match=r"Confetto: no split 'val'; name one of those there with --split: train"):
        open_dataset(tmp_path, "Confetto", "val")
    with pytest.raises(DatasetError, match="no layout 'mvtec'; choose auto, eyecandies or folder"):
        open_dataset(tmp_path, "Confetto", layout="mvtec")


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("{light}.png", r"needs \{id\} once; write for example"),
        ("{id}.png", r"needs \{light\} once; write for example"),
        ("{id}/{light}_{part}.png", r"has \{part\}; it may hold"),
        ("../{id}/{light}.png", "leaves its folder; write it relative"),
        ("{id}-{light}.png", r"no file fits the pattern .*found 000/left\.png, 000/right\.png, 000/top\.png, …; name"),
    ],
)
def test_patterns_that_cannot_be_used(tmp_path: Path, pattern: str, said: str) -> None:
    write_folder(tmp_path, size=8)
    with pytest.raises(DatasetError, match=said):
        open_dataset(tmp_path, pattern=pattern)


def test_pattern_with_the_eyecandies_layout(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="leave one of them out"):
        open_dataset(tmp_path, layout="eyecandies", pattern="{id}/{light}.png")


def test_ids_that_become_equal(tmp_path: Path) -> None:
    write_folder(tmp_path, {"test": {"good": 1, "a": 1, "a-b": 1}}, size=8, masks=False)
    (tmp_path / "test/a/000").rename(tmp_path / "test/a/b-000")
    with pytest.raises(DatasetError, match=r"duplicate id a-b-000, also of .*; rename one"):
        open_dataset(tmp_path, split="test")


def test_the_first_of_several_problems_says_how_many_more(tmp_path: Path) -> None:
    write_folder(tmp_path, size=16)
    (tmp_path / "train/good/001/top.png").unlink()
    (tmp_path / "train/good/002/top.png").unlink()
    _resize(tmp_path / "train/good/003/left.png")
    with pytest.raises(DatasetError, match=rf"001/top.*\(and 3 more: afrd check {tmp_path}\)$"):
        open_dataset(tmp_path)  # left.png is the measure of 003, so its other two lights differ


def test_check_lists_everything_at_once_and_each_only_once(tmp_path: Path) -> None:
    write_eyecandies(tmp_path, ["Confetto", "Lollipop"], size=16)
    (tmp_path / "Confetto/train/data/000_image_2.png").unlink()
    _truncate(tmp_path / "Confetto/train/data/000_image_3.png")
    _truncate(tmp_path / "Confetto/train/data/000_image_5.png")
    _resize(tmp_path / "Confetto/val/data/001_image_1.png")
    (tmp_path / "Confetto/test_public/data/003_metadata.yaml").write_text("anomalous: 7")
    (tmp_path / "Lollipop/test_public/data/004_mask.png").write_text("hello")
    (tmp_path / "Lollipop/lights.yaml").write_text("lights: 3")
    expected = {
        "Confetto/train/data/000_image_2.png",
        "Confetto/train/data/000_image_3.png",
        "Confetto/train/data/000_image_5.png",
        "Confetto/val/data/001_image_1.png",
        "Confetto/test_public/data/003_metadata.yaml",
        "Lollipop/test_public/data/004_mask.png",
        "Lollipop/lights.yaml",
    }
    found = [problem.path.relative_to(tmp_path).as_posix() for problem in check_dataset(tmp_path)]
    assert sorted(found) == sorted(expected)
    only = [problem.path.relative_to(tmp_path).as_posix() for problem in check_dataset(tmp_path, "Lollipop")]
    assert sorted(only) == sorted(name for name in expected if name.startswith("Lollipop"))


def test_lights_in_another_order_than_the_models() -> None:
    model = LightRig(("left", "right", "top"))
    require_lights(LightRig(("left", "right", "top"), ((1, 0, 0),) * 3), model)
    with pytest.raises(DatasetError) as error:
        require_lights(LightRig(("top", "left", "right")), model)
    for part in ("found top, left, right", "the model has left, right, top", "in the model's order in lights.yaml"):
        assert part in str(error.value)
    with pytest.raises(
        DatasetError, match=r"found left, ring; the model has left, right, top; use captures taken under"
    ):
        require_lights(LightRig(("left", "ring")), model)

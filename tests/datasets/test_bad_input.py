"""What opening and checking say of data that is not there, is empty, has other lights, or is broken more than once."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from afrd.capture import LightRig
from afrd.datasets import check_dataset, open_dataset, require_lights
from afrd.errors import DatasetError
from breaking import resize, truncate
from captures import write_eyecandies, write_folder, write_image


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
    truncate(tmp_path / name)
    split = "train" if name.startswith("train") else "test"
    found = open_dataset(tmp_path, split=split)
    with pytest.raises(DatasetError) as error:
        list(found)
    assert f"{tmp_path / name}: truncated PNG; replace it" in str(error.value)
    assert [str(problem) for problem in check_dataset(tmp_path)] == [str(error.value)]


def test_mask_that_marks_a_good_capture(tmp_path: Path) -> None:
    write_eyecandies(tmp_path, size=16)
    path = tmp_path / "Confetto/test_public/data/000_mask.png"
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


def test_too_many_lights(tmp_path: Path) -> None:
    write_folder(tmp_path, {"train": {"good": 2}}, lights=[f"l{i}" for i in range(17)], size=8)
    with pytest.raises(DatasetError, match=r"17 lights .*photograph each part under 1 to 16 lights"):
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
    with pytest.raises(DatasetError, match=r"no layout 'mvtec'; choose one of auto, eyecandies, m2ad, .* folder"):
        open_dataset(tmp_path, "Confetto", layout="mvtec")
    write_folder(tmp_path / "plain")
    with pytest.raises(DatasetError, match=r"plain: has no categories.*leave category 'Confetto' out"):
        open_dataset(tmp_path / "plain", "Confetto")
    shutil.rmtree(tmp_path / "plain" / "test")
    with pytest.raises(DatasetError, match="no split 'test'; name one of those there"):  # as this layout calls it
        open_dataset(tmp_path / "plain", split="test_public")


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
    resize(tmp_path / "train/good/003/left.png")
    with pytest.raises(DatasetError, match=rf"001/top.*\(and 3 more: afrd check {tmp_path}\)$"):
        open_dataset(tmp_path)  # left.png is the measure of 003, so its other two lights differ


def test_check_lists_everything_at_once_and_each_only_once(tmp_path: Path) -> None:
    write_eyecandies(tmp_path, ["Confetto", "Lollipop"], size=16)
    (tmp_path / "Confetto/train/data/000_image_2.png").unlink()
    truncate(tmp_path / "Confetto/train/data/000_image_3.png")
    truncate(tmp_path / "Confetto/train/data/000_image_5.png")
    resize(tmp_path / "Confetto/val/data/001_image_1.png")
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

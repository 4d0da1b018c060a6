"""Folders of known defects: three layouts, and what is no defective capture."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from afrd.datasets import open_dataset, read_known_defects
from afrd.datasets.known_defects import require_no_good_part
from afrd.errors import DatasetError
from captures import write_folder, write_image


@pytest.fixture
def data(tmp_path) -> Path:
    root = tmp_path / "data"
    write_folder(root, size=16)
    return root


def lights(data: Path):
    return open_dataset(data, split="train").lights


def typed(data: Path, out: Path) -> Path:
    """DIR/<type>/<id>/…, with masks of the scratches only."""
    for kind in ("scratch", "stain"):
        shutil.copytree(data / "test" / kind, out / kind)
    shutil.copytree(data / "masks" / "scratch", out / "masks" / "scratch")
    return out


def flat(data: Path, out: Path) -> Path:
    """DIR/<id>/…, with masks."""
    shutil.copytree(data / "test" / "scratch", out)
    shutil.copytree(data / "masks" / "scratch", out / "masks")
    return out


def test_three_layouts(data, tmp_path):
    written = {c.id: c for c in open_dataset(data, split="test") if c.anomalous}
    by_type = read_known_defects(typed(data, tmp_path / "typed"), lights(data))
    assert [(r.id, r.defects, r.mask is not None) for r in by_type.records] == [
        ("scratch-000", ("scratch",), True),
        ("scratch-001", ("scratch",), True),
        ("stain-000", ("stain",), False),
    ]
    alone = read_known_defects(flat(data, tmp_path / "flat"), lights(data))
    assert [r.id for r in alone.records] == ["defect-000", "defect-001"]
    whole = read_known_defects(data, lights(data))
    assert sorted(r.id for r in whole.records) == sorted(written)
    for captures, own in ((by_type, "scratch-001"), (alone, "defect-001"), (whole, "scratch-001")):
        [one] = [c for c in captures if c.id == own]
        assert one.anomalous
        assert np.array_equal(one.images, written["scratch-001"].images)
        assert np.array_equal(one.mask, written["scratch-001"].mask)


def good_folder(folder: Path) -> None:
    shutil.copytree(folder / "scratch", folder / "good")


def empty_mask(folder: Path) -> None:
    write_image(folder / "masks" / "scratch" / "001.png", np.zeros((16, 16), bool))


def stray_mask(folder: Path) -> None:
    shutil.copy(folder / "masks" / "scratch" / "001.png", folder / "masks" / "scratch" / "007.png")


def second_mask(folder: Path) -> None:
    shutil.copy(folder / "masks" / "scratch" / "001.png", folder / "masks" / "scratch" / "001.bmp")


def missing_light(folder: Path) -> None:
    (folder / "stain" / "000" / "top.png").unlink()


def nothing(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def test_a_folder_without_images_is_named(data, tmp_path):
    folder = flat(data, tmp_path / "flat")
    (folder / "deep" / "deeper").mkdir(parents=True)
    with pytest.raises(DatasetError, match=r"deep: holds no image; give a folder of defective captures"):
        read_known_defects(folder, lights(data))


@pytest.mark.parametrize(
    ("fault", "place", "what"),
    [
        (good_folder, "good", "good parts among known defects"),
        (empty_mask, "masks/scratch/001.png", "marks nothing"),
        (stray_mask, "masks/scratch/007.png", "mask with no capture"),
        (second_mask, "masks/scratch/001.png", "a second mask for the capture, beside 001.bmp; remove one of them"),
        (missing_light, "stain/000/top.png", "light top is missing for capture 000"),
        (nothing, "", "holds no captures"),
    ],
)
def test_faults_are_named(data, tmp_path, fault, place, what):
    folder = typed(data, tmp_path / "typed")
    fault(folder)
    with pytest.raises(DatasetError, match=what) as error:
        read_known_defects(folder, lights(data))
    assert str(folder / place) in str(error.value)


def test_a_test_split_of_good_parts_alone_is_no_help(data):
    for kind in ("scratch", "stain"):
        shutil.rmtree(data / "test" / kind)
    shutil.rmtree(data / "masks")
    with pytest.raises(DatasetError, match="its test split holds good captures only"):
        read_known_defects(data, lights(data))


def test_a_copy_of_a_good_part_is_named_with_it(data, tmp_path):
    folder = typed(data, tmp_path / "typed")
    shutil.copytree(data / "train" / "good" / "002", folder / "stain" / "009")
    train = open_dataset(data, split="train")
    known = read_known_defects(folder, train.lights)
    with pytest.raises(DatasetError, match="known defect stain-009 is good capture good-002"):
        require_no_good_part(known, [train])
    require_no_good_part(known.subset([0, 1, 2]), [train])

"""`verify` finds damage in a set before it is used, and `check_dataset` tells how far it is."""

from pathlib import Path

import numpy as np
import pytest

from afrd.capture import LightRig
from afrd.datasets import check_dataset, open_dataset, read_captures, verify
from afrd.errors import DatasetError
from captures import write_eyecandies, write_folder, write_image


def _damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)


def test_sound_set_passes_and_tells_how_far_it_is(tmp_path: Path) -> None:
    write_folder(tmp_path, size=8)
    steps = []
    verify(open_dataset(tmp_path), progress=lambda done, total: steps.append((done, total)))
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]
    verify(open_dataset(tmp_path)[:0])


def test_one_damaged_file(tmp_path: Path) -> None:
    write_folder(tmp_path, size=8)
    _damage(tmp_path / "train/good/002/right.png")
    captures = open_dataset(tmp_path)
    with pytest.raises(DatasetError, match=r"002/right\.png: damaged PNG \(checksum\); replace it[^(]*$"):
        verify(captures)
    verify(captures[:2])
    verify(open_dataset(tmp_path, split="val"))


def test_the_first_of_several_says_how_many_more_and_where_to_see_them(tmp_path: Path) -> None:
    write_eyecandies(tmp_path, size=8)
    data = tmp_path / "Confetto/test_public/data"
    for name in ("001_image_4.png", "001_image_2.png", "004_mask.png", "004_colors_mask.png"):
        _damage(data / name)
    with pytest.raises(DatasetError) as error:
        verify(open_dataset(tmp_path, split="test"))
    assert str(error.value).startswith(f"{data / '001_image_2.png'}: damaged PNG (checksum); ")
    assert str(error.value).endswith(f" (and 3 more: afrd check {tmp_path})")
    assert len(check_dataset(tmp_path)) == 4


def test_a_file_that_is_gone_or_not_an_image_counts_once(tmp_path: Path) -> None:
    write_folder(tmp_path, size=8)
    captures = open_dataset(tmp_path)
    (tmp_path / "train/good/000/top.png").unlink()
    (tmp_path / "train/good/001/top.png").write_text("hello")
    with pytest.raises(DatasetError, match=r"000/top\.png: cannot be read \(No such file.*\(and 1 more: afrd check "):
        verify(captures)


def test_captures_without_labels_are_no_data_set_to_check(tmp_path: Path) -> None:
    write_folder(tmp_path, size=8)
    for capture in ("000", "001"):
        _damage(tmp_path / "train/good" / capture / "top.png")
    with pytest.raises(DatasetError, match=r"000/top\.png: damaged PNG .*\(and 1 more\)$"):
        verify(read_captures([tmp_path / "train/good"], LightRig(("left", "right", "top"))))


def test_mask_that_marks_a_good_capture(tmp_path: Path) -> None:
    write_eyecandies(tmp_path, size=8)
    write_image(tmp_path / "Confetto/test_public/data/000_mask.png", np.ones((8, 8), bool))
    with pytest.raises(DatasetError, match=r"000_mask\.png: marks 64 pixels of a good capture"):
        verify(open_dataset(tmp_path, split="test"))


def test_check_tells_how_far_it_is_over_all_categories(tmp_path: Path) -> None:
    write_eyecandies(tmp_path, ["Confetto", "Lollipop"], {"train": (2, 0), "test_public": (0, 1)}, size=8)
    steps = []
    assert check_dataset(tmp_path, progress=lambda done, total: steps.append((done, total))) == []
    assert steps == [(done, 6) for done in range(1, 7)]

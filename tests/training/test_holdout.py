import shutil
import warnings

import pytest

from afrd.datasets import CaptureSet, check_dataset, open_dataset
from afrd.datasets.capture_set import Record
from afrd.errors import DatasetError
from afrd.training import TrainConfig
from afrd.training.holdout import question_outlier, split_holdout
from captures import write_folder


@pytest.fixture
def grouped(tmp_path) -> CaptureSet:
    """Four captures each of five parts."""
    write_folder(tmp_path, {"train": {"good": 20}}, size=8)
    found = open_dataset(tmp_path)
    records = [Record(r.id, r.images, r.anomalous, group=f"part{i % 5}") for i, r in enumerate(found.records)]
    return CaptureSet(found.root, found.category, found.split, found.lights, records)


def test_no_part_is_on_both_sides(grouped):
    for seed in range(10):
        kept, held = split_holdout(grouped, None, TrainConfig(holdout_share=0.4, seed=seed))
        assert (len(kept), len(held)) == (12, 8)
        assert not set(kept.groups) & set(held.groups)
    without = split_holdout(grouped, None, TrainConfig(holdout_share=0.1))
    assert [len(side) for side in without] == [16, 4]


def test_a_part_given_on_both_sides_is_an_error(grouped):
    kept, held = grouped.subset(range(10)), grouped.subset(range(14, 20))
    with pytest.raises(DatasetError, match=r"group part4 also has captures in another split.*one split"):
        split_holdout(kept, held, TrainConfig())


def test_a_copy_under_another_name_is_found(tmp_path):
    write_folder(tmp_path, {"train": {"good": 6}, "val": {"good": 3}}, size=8)
    train, val = (open_dataset(tmp_path, split=split) for split in ("train", "val"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [side.groups for side in split_holdout(train, val, TrainConfig())] == [train.groups, val.groups]
    shutil.copyfile(tmp_path / "train/good/000/left.png", tmp_path / "train/good/005/left.png")  # one light is no copy
    shutil.copytree(tmp_path / "train/good/001", tmp_path / "train/good/more")
    shutil.copytree(tmp_path / "train/good/002", tmp_path / "train/good/x2")
    train = open_dataset(tmp_path, split="train")
    with pytest.warns(UserWarning, match=r"more.left.png: the same picture as .*001.left.png; 2 such captures count"):
        kept, held = split_holdout(train, val, TrainConfig())
    assert kept.groups == [*(f"good-00{i}" for i in range(6)), "good-001", "good-002"]
    assert kept.digest() == train.digest() and held.groups == val.groups
    for seed in range(10):
        with pytest.warns(UserWarning, match="the same picture"):
            kept, held = split_holdout(train, None, TrainConfig(seed=seed, holdout_share=0.4))
        assert len(set(held.groups)) == 2 and not set(kept.groups) & set(held.groups)
    found = [str(problem) for problem in check_dataset(tmp_path)]
    assert len(found) == 2 and all("the same picture as" in problem for problem in found)
    (tmp_path / "val/good/copy").symlink_to(tmp_path / "train/good/000")
    with pytest.raises(DatasetError, match=r"val.good.copy.left.png: the same picture as .*train.good.000.left.png"):
        split_holdout(train, open_dataset(tmp_path, split="val"), TrainConfig())


def test_one_part_alone_cannot_be_split(grouped):
    alone = grouped.subset(range(0, 20, 5))
    with pytest.raises(DatasetError, match="0 captures left to train on and 4 for the threshold"):
        split_holdout(alone, None, TrainConfig())


def test_a_part_is_not_vouched_for_by_its_own_captures(grouped):
    held = grouped.subset([0, 1, 2, 5])  # part0 twice
    with pytest.warns(UserWarning, match=r"good-000 scores 5, those of other parts at most 1.5"):
        question_outlier(held, [5.0, 1.0, 1.5, 4.9])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        question_outlier(held, [5.0, 4.0, 1.5, 4.9])
        question_outlier(grouped.subset([0, 5]), [5.0, 1.0])  # nothing to compare with
        question_outlier(held, [-1.0, -2.0, -1.5, -1.2])  # some models score below zero

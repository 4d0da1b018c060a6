import warnings

import pytest

from afrd.datasets import CaptureSet, open_dataset
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

"""The threshold counts each held-out part at its worst: as it is, or as one of its disturbed copies."""

import pytest

from afrd.datasets import open_dataset
from afrd.inspector import Inspector
from afrd.training import TrainConfig, train
from afrd.training.disturbed import COPIES, disturbed_copies
from captures import write_folder

JOINT = {"painting": {"pairs": 4}, "disturbing": {"captures": 2, "copies": COPIES}, "folds": 0}


@pytest.mark.parametrize(
    ("fusion", "options"), [("mean", {"epochs": 1, "cache": "off"}), ("joint", JOINT), ("nearest", {})]
)
def test_it_is_the_largest_score_of_parts_and_copies(fusion, options, tmp_path):
    write_folder(tmp_path / "data", {"train": {"good": 6}, "val": {"good": 3}}, size=64)
    captures, holdout = (open_dataset(tmp_path / "data", split=split) for split in ("train", "val"))
    config = TrainConfig(fusion=fusion, image_size=64, false_alarm_rate=0.2, **options)
    card = train(captures, tmp_path / "run", config, holdout=holdout)
    inspector = Inspector.load(tmp_path / "run", check_lights=False)
    scores = [
        [inspector.inspect(capture.images).score for capture in part]
        for part in (holdout, *disturbed_copies(holdout, config.seed, COPIES))
    ]
    assert max(map(max, scores)) > max(scores[0])
    if fusion != "nearest":  # whose unit is another for each of the held-out parts
        assert card.threshold == pytest.approx(max(map(max, scores)), rel=1e-3)
    assert card.threshold > max(scores[0])

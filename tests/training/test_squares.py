"""Pictures are decoded once while they fit memory, and nothing that is learned depends on how many do."""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from afrd.datasets import open_dataset
from afrd.imaging import ImagingOptions
from afrd.training import TrainConfig, train
from afrd.training.squares import Squares, squares_of
from captures import write_folder

COUNTS = {"train": {"good": 6}, "val": {"good": 3}}
_opened: Counter[str] | None = None


def _count(event: str, arguments: tuple) -> None:
    if _opened is not None and event == "open" and str(arguments[0]).endswith("left.png"):
        _opened[Path(arguments[0]).parts[-4]] += 1


sys.addaudithook(_count)


@pytest.fixture(scope="module", params=[64, 96])
def data(tmp_path_factory, request) -> Path:
    """At the model's size, and larger."""
    root = tmp_path_factory.mktemp("data")
    write_folder(root, COUNTS, size=request.param)
    return root


def test_what_is_kept_and_what_is_read_again_are_the_same(data) -> None:
    captures = open_dataset(data, split="train")
    plain = [squares[0] for squares in squares_of(captures, 64)]
    for budget, kept in ((0, 0), (plain[0].nbytes * 2.5e-9, 2), (1, 6)):
        captures.squares = Squares(budget)
        for _ in range(2):
            for (found,), expected in zip(squares_of(captures, 64), plain, strict=True):
                np.testing.assert_array_equal(found, expected)
        if captures[0].size != (64, 64):  # others are kept as they are, with fewer bytes
            assert len(captures.squares._kept) == kept
        backwards = captures.subset(range(5, -1, -1))
        for (found,), expected in zip(squares_of(backwards, 64), plain[::-1], strict=True):
            np.testing.assert_array_equal(found, expected)


def test_training_reads_less_and_learns_the_same(data, tmp_path) -> None:
    global _opened
    digests, opened = [], []
    for budget in (0, 1):
        _opened = Counter()
        config = TrainConfig(image_size=64, memory_gb=budget)
        holdout = open_dataset(data, split="val")
        card = train(open_dataset(data, split="train"), tmp_path / str(budget), config, holdout=holdout)
        opened.append(_opened)
        _opened = None
        digests.append((card.trained_digest, card.threshold))
    assert digests[0] == digests[1]
    assert opened[1]["train"] <= opened[0]["train"] - 3 * COUNTS["train"]["good"]


def test_tiles_of_a_capture_are_cut_from_one_reading(tmp_path) -> None:
    """Whatever their number: at 12 megapixels each reading takes seconds."""
    global _opened
    write_folder(tmp_path / "data", COUNTS, size=192)
    train_set, held_out = (open_dataset(tmp_path / "data", split=split) for split in ("train", "val"))
    opened = []
    for tile in (96, 64):
        imaging = ImagingOptions(tile=tile, overlap=0)
        config = TrainConfig(
            image_size=64, memory_gb=0, imaging=imaging, painting={"pairs": 6}, disturbing={"copies": 1}
        )
        _opened = Counter()
        card = train(train_set, tmp_path / str(tile), config, holdout=held_out)
        opened.append(_opened)
        _opened = None
        assert card.imaging.tiles == (192 // tile) ** 2
    assert opened[0] == opened[1] and opened[1]["train"] < 2 * 9 * COUNTS["train"]["good"]

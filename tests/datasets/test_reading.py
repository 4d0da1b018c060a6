"""Reading ahead keeps the order, passes errors on, and decodes no more than a few captures early."""

import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from afrd.capture import Capture
from afrd.datasets import CaptureSet, ahead, open_dataset, read_ahead
from afrd.datasets.reading import AHEAD
from afrd.errors import DatasetError
from captures import write_folder


class Counted(Sequence):
    """A capture set that counts how many of its captures were asked for."""

    def __init__(self, captures: CaptureSet) -> None:
        self.captures, self.begun, self.lock = captures, 0, threading.Lock()

    def __len__(self) -> int:
        return len(self.captures)

    def __getitem__(self, index: int) -> Capture:
        with self.lock:
            self.begun += 1
        return self.captures[index]


def test_order_and_content(tmp_path: Path) -> None:
    written = write_folder(tmp_path, {"train": {"good": 11}}, size=8)
    found = list(read_ahead(open_dataset(tmp_path)))
    assert [capture.id for capture in found] == [f"good-{i:03d}" for i in range(11)]
    for capture in found:
        np.testing.assert_array_equal(capture.images, written["train", capture.id].images)
    assert list(read_ahead(open_dataset(tmp_path)[:0])) == []


def test_error_of_a_damaged_capture_comes_when_its_turn_does(tmp_path: Path) -> None:
    write_folder(tmp_path, {"train": {"good": 8}}, size=8)
    captures = open_dataset(tmp_path)
    damaged = tmp_path / "train/good/003/top.png"
    damaged.write_bytes(damaged.read_bytes()[:-20])
    seen = []
    with pytest.raises(DatasetError, match=r"003/top\.png: truncated PNG"):
        for capture in read_ahead(captures):
            seen.append(capture.id)
    assert seen == ["good-000", "good-001", "good-002"]


def test_only_a_few_are_decoded_early(tmp_path: Path) -> None:
    write_folder(tmp_path, {"train": {"good": 3 * AHEAD}}, size=8)
    captures = Counted(open_dataset(tmp_path))
    for used, _ in enumerate(read_ahead(captures), 1):
        time.sleep(0.02)  # a slow user, so that the readers could run off
        assert captures.begun <= used + AHEAD
    assert captures.begun == len(captures)


def test_what_is_made_ahead_comes_in_order_and_says_what_went_wrong():
    """One item ahead, not all of them: memory would grow with their number."""
    made = []

    def items():
        for i in range(5):
            made.append(i)
            yield i
        raise ValueError("the sixth")

    got = ahead(items())
    assert next(got) == 0
    deadline = time.monotonic() + 30
    while made != [0, 1] and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
    assert made == [0, 1]
    assert [next(got) for _ in range(4)] == [1, 2, 3, 4]
    with pytest.raises(ValueError, match="the sixth"):
        next(got)
    assert list(ahead(iter(()))) == []

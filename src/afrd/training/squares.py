"""What a model looks at, of each capture, at the model's size: decoded and resized once, while memory lasts."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from afrd.capture import Capture
from afrd.datasets import CaptureSet, read_ahead
from afrd.imaging.resizing import resize


class Squares:
    """The squares of captures that were read already; those of all subsets of a set.

    budget_gb: of 1e9 bytes, what they may take together. What does not fit is decoded again whenever it is needed.
    """

    def __init__(self, budget_gb: float) -> None:
        self._left = budget_gb * 1e9
        self._kept: dict[tuple[Path, ...], list[np.ndarray]] = {}

    def each(self, captures: CaptureSet, size: int) -> Iterator[list[np.ndarray]]:
        """Of each capture in order the squares [N, C, S, S] float32 in [0, 1]: one, or that of every tile."""
        kept = [self._kept.get(record.images) for record in captures.records]
        unread = read_ahead(captures.subset(i for i, squares in enumerate(kept) if squares is None))
        for record, squares in zip(captures.records, kept, strict=True):
            squares = self.keep(record.images, next(unread), size) if squares is None else squares
            yield [resized(square, size) for square in squares]

    def keep(self, files: tuple[Path, ...], capture: Capture, size: int) -> list[np.ndarray]:
        """The squares of a capture that was just read. Where they have the model's size already, as they are."""
        squares, needed = capture.tiles, capture.images.nbytes
        if squares[0].shape[-2:] != (size, size):
            squares = [resized(square, size) for square in squares]
            needed = sum(square.nbytes for square in squares)
        if needed <= self._left and files not in self._kept:
            self._left -= needed
            self._kept[files] = squares
        return squares


def squares_of(captures: Sequence[Capture], size: int) -> Iterator[list[np.ndarray]]:
    """As `Squares.each`, by those that the set keeps, if it does."""
    if isinstance(captures, CaptureSet) and captures.squares is not None:
        return captures.squares.each(captures, size)
    return ([resized(tile, size) for tile in capture.tiles] for capture in read_ahead(captures))


def resized(square: np.ndarray, size: int) -> np.ndarray:
    """[N, C, size, size] float32 in [0, 1]; what is so already stays."""
    return square if square.dtype == np.float32 else resize(square, (size, size))

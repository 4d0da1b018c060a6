"""Good captures with and without painted defects, as the teacher sees them."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from afrd.capture import Capture
from afrd.datasets import ahead, read_ahead
from afrd.families.joint import Painting
from afrd.imaging.resizing import resize
from afrd.model import MultiLightModel
from afrd.model.folding import reading
from afrd.model.stacked import Looked
from afrd.training.defect_painter import KINDS, DefectPainter
from afrd.training.features import tiles_in
from afrd.training.squares import squares_of


def _chosen(captures: int, painting: Painting) -> tuple[range, int]:
    """Which of so many captures are painted, spread evenly, and how often each."""
    indices = range(0, captures, math.ceil(captures / painting.captures))
    return indices, math.ceil(painting.pairs / len(indices))


def painting_count(captures: int, painting: Painting | None = None) -> int:
    """How many pairs there are of so many captures."""
    indices, times = _chosen(captures, painting or Painting())
    return len(indices) * times


@torch.inference_mode()
def with_defects(
    model: MultiLightModel,
    captures: Sequence[Capture],
    device: torch.device,
    seed: int = 0,
    painting: Painting | None = None,
    one_kind_each: bool = False,
    kept: Callable[[int], Tensor | None] | None = None,
) -> Iterator[tuple[Looked, list[Tensor], Tensor, str]]:
    """Some captures, the levels of them painted, [B, N, C, h, w] each, where, [B, S, S] in [0, 1], and what.

    kept: the vectors of the capture of that number, where they are; other captures are looked at again, as levels.
    one_kind_each: all defects of a pair are of one kind, one kind after the other; else of any, and the kind is "".
    `painting_count` pairs of at most `painting.captures` captures. Where captures are looked at in tiles, each pair is
    of one of them, drawn by how much of the part it shows.
    """
    painting = painting or Painting()
    indices, times = _chosen(len(captures), painting)
    captures = captures[:: indices.step]

    def at_size(images: np.ndarray) -> np.ndarray:
        return resize(images, (model.image_size,) * 2)

    def levels(images: np.ndarray) -> list[Tensor]:
        return reading(model).see(torch.from_numpy(images)[None].to(device))

    rng, kinds = np.random.default_rng(seed), itertools.cycle(KINDS if one_kind_each else ("",))
    if tiles_in(captures) > 1:
        painter = DefectPainter.learn(at_size(capture.images) for capture in read_ahead(captures))
        yield from _of_tiles(captures, painter, rng, times, painting, kinds, at_size, levels, device)
        return
    painter = DefectPainter.learn(images for (images,) in squares_of(captures, model.image_size))

    def painted() -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray, str]]:
        for number, (images,) in zip(indices, squares_of(captures, model.image_size), strict=True):
            for kind in itertools.islice(kinds, times):
                yield number, images, *painter.paint(images, rng, painting.defects, (kind,) if kind else KINDS), kind

    for number, paintings in itertools.groupby(ahead(painted()), key=lambda each: each[0]):
        vectors = kept(number) if kept else None
        good = None if vectors is None else vectors.to(device)
        for _, images, bad, cover, kind in paintings:
            good = levels(images) if good is None else good
            yield good, levels(bad), model.within(torch.from_numpy(cover)[None].to(device)), kind


def _of_tiles(captures, painter: DefectPainter, rng, times: int, painting: Painting, kinds, at_size, levels, device):
    """As `with_defects`; the painter has learned from whole captures, in which a part's sides can be told."""
    tiling = captures.imaging.tiling
    share = cv2.resize(painter.places.astype(np.float32), (tiling.width, tiling.height))
    chances = np.array([tile.sum() for tile in tiling.cut(share)], float)
    anywhere = DefectPainter(np.full_like(painter.places, 1 / painter.places.size), painter.directions, painter.mixture)
    for capture in read_ahead(captures):
        for tile in rng.choice(len(tiling), times, p=chances / chances.sum()):
            images, kind = at_size(capture.tiles[tile]), next(kinds)
            painted, cover = anywhere.paint(images, rng, painting.defects, (kind,) if kind else KINDS)
            yield levels(images), levels(painted), torch.from_numpy(cover)[None].to(device), kind

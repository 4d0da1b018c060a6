"""Good captures with and without painted defects, as the teacher sees them."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from afrd.capture import Capture
from afrd.datasets import read_ahead
from afrd.families.joint import Painting
from afrd.model import MultiLightModel
from afrd.training.defect_painter import DefectPainter


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
) -> Iterator[tuple[list[Tensor], list[Tensor], Tensor]]:
    """The levels of some captures, those of them painted, [B, N, C, h, w] each, and where, [B, S, S] in [0, 1].

    `painting_count` pairs of at most `painting.captures` captures, which are decoded twice.
    """
    painting = painting or Painting()
    indices, times = _chosen(len(captures), painting)
    captures = captures[:: indices.step]

    def prepared() -> Iterator[np.ndarray]:
        for capture in read_ahead(captures):
            yield model.prepare(torch.from_numpy(capture.images)[None])[0].numpy()

    def levels(images: np.ndarray) -> list[Tensor]:
        return model.extract(torch.from_numpy(images)[None].to(device))

    rng, painter = np.random.default_rng(seed), DefectPainter.learn(prepared())
    for images in prepared():
        good = levels(images)
        for _ in range(times):
            painted, cover = painter.paint(images, rng, painting.defects)
            yield good, levels(painted), torch.from_numpy(cover)[None].to(device)

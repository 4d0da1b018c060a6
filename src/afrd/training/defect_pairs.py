"""Good captures with and without painted defects, as the teacher sees them."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from afrd.capture import Capture
from afrd.datasets import read_ahead
from afrd.model import MultiLightModel
from afrd.training.defect_painter import DefectPainter

PAINTED = 60  # captures that defects are painted into, at most
PAINTINGS = 120  # of them, at least


def painting_count(captures: int) -> int:
    """How many pairs there are of so many captures."""
    return captures * -(-PAINTINGS // captures)


@torch.inference_mode()
def with_defects(
    model: MultiLightModel, captures: Sequence[Capture], device: torch.device, seed: int = 0
) -> Iterator[tuple[list[Tensor], list[Tensor], Tensor]]:
    """For each capture: its levels, those of it painted some times, [B, N, C, h, w] each, and where, [B, S, S].

    The captures are decoded twice.
    """

    def prepared() -> Iterator[np.ndarray]:
        for capture in read_ahead(captures):
            yield model.prepare(torch.from_numpy(capture.images)[None])[0].numpy()

    rng, painter = np.random.default_rng(seed), DefectPainter.learn(prepared())
    for images in prepared():
        good = model.extract(torch.from_numpy(images)[None].to(device))
        for _ in range(painting_count(len(captures)) // len(captures)):
            painted, cover = painter.paint(images, rng)
            yield (
                good,
                model.extract(torch.from_numpy(painted)[None].to(device)),
                torch.from_numpy(cover)[None].to(device),
            )

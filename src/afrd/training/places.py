"""Some places of each good capture or tile, kept while they are read once: enough to learn what is usual from."""

import math
from collections.abc import Iterator, Sequence

from torch import Tensor

from afrd.model import JointGaussian

KEPT = 64_000  # vectors, in half precision; what is usual at a place is a regression with some 600 coefficients


class Places:
    """Used by a fit as `Folds` is. squares: how many will come, tiles of all captures. most: places kept in all."""

    keeps_all = True

    def __init__(self, model: JointGaussian, squares: int, most: int = KEPT) -> None:
        self._every = max(1, math.ceil(squares * (model.image_size // model.stride) ** 2 / most))
        self._kept: list[Tensor] = []

    def keep(self, model: JointGaussian, number: int, levels: Sequence[Tensor]) -> None:
        """Of square `number` of all, in their order; each gives others of its places than the one before."""
        if number == 0:
            self._kept = []
        vectors = model.looked_at(model.describe(levels)).flatten(2)
        self._kept.append(vectors[..., number % self._every :: self._every, None].half().cpu())

    def kept(self, model: JointGaussian) -> Iterator[Tensor]:
        """[1, N · D, places, 1] of each square."""
        return (each.to(model.mean.device).float() for each in self._kept)

"""Of the tiles of good captures some places each, kept while the first pass reads them, so that no second one need."""

import math
from collections.abc import Iterator, Sequence

from torch import Tensor

from afrd.model import JointGaussian

KEPT = 64_000  # vectors, in half precision; what is usual at a place is a regression with some 600 coefficients


class Places:
    """As `Folds`, what a fit keeps of what it reads. squares: how many will be kept, tiles of all captures."""

    keeps_all = True

    def __init__(self, model: JointGaussian, squares: int) -> None:
        self._every = max(1, math.ceil(squares * (model.image_size // model.stride) ** 2 / KEPT))
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

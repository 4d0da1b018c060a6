"""What all lights show at a place, as one vector: the teacher's levels on one grid, lights one after the other."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, interpolate

from afrd.families.joint import Gaussian
from afrd.model.multi_light import MultiLightModel
from afrd.model.teacher import Level, Teacher

Looked = Sequence[Tensor] | Tensor
"""A capture as it was looked at: its levels, [B, N, C, h, w] each, or its vectors, [B, N · D, h, w]."""


def vectors_of(looked: Looked, describe: Callable[[Sequence[Tensor]], Tensor]) -> Tensor:
    """describe: from levels to vectors."""
    return looked if isinstance(looked, Tensor) else describe(looked)


class StackedLights(MultiLightModel):
    """Base of models that compare such vectors. Arguments and errors as of MultiLightModel.

    settings: see `afrd.families.joint`. stride: of the places. channels: D of a light's vector.
    widths: of the levels in it.
    """

    def __init__(
        self,
        teacher: str | Teacher,
        teacher_weights: str | Path | None,
        lights: int,
        image_size: int,
        top_share: float,
        settings: Gaussian,
    ) -> None:
        super().__init__(teacher, teacher_weights, lights, image_size, top_share)
        self.settings, self.stride = settings, settings.grid
        for i, projection in enumerate(_projections(self.teacher.levels, settings.channels // lights)):
            self.register_buffer(f"projection{i}", projection)  # None takes no room in the state
        self.widths = [level.channels if p is None else len(p) for p, level in self._projected()]
        self.channels = sum(self.widths)

    def describe(self, levels: Sequence[Tensor]) -> Tensor:
        """levels: [B, N', C, h, w] each, of all lights or some. One vector a place, [B, N' · D, h, w] on the grid."""
        grid, batch = self.image_size // self.stride, levels[0].shape[0]
        parts = []
        for (projection, level), x in zip(self._projected(), levels, strict=True):
            x = x.flatten(0, 1)
            if projection is not None:
                x = conv2d(x, projection.to(x)[:, :, None, None])
            if level.stride < self.stride:
                x = avg_pool2d(x, self.stride // level.stride)
            elif level.stride > self.stride:
                x = interpolate(x, (grid, grid), mode="bilinear", align_corners=False)
            parts.append(x)
        return torch.cat(parts, 1).reshape(batch, -1, grid, grid)

    def change_covariance(self, pairs: Iterable[tuple[Looked, Sequence[Tensor]]]) -> Tensor:
        """pairs: captures, and levels of the same changed. [N · D, N · D] float64: the mean product of what changes
        in a vector; zero without pairs."""
        total = self.lights * self.channels
        moment, seen = torch.zeros(total, total, dtype=torch.float64), 0
        for before, after in pairs:
            change = (self.describe(after) - vectors_of(before, self.describe)).movedim(1, -1).flatten(0, -2)
            moment += (change.T @ change).cpu().double()
            seen += len(change)
        return moment / max(seen, 1)

    def _at_peak(self, vectors: Tensor, maps: Tensor) -> Tensor:
        """vectors: [B, D', h, w]; maps: [B, S, S]. The vectors where the maps are highest, [B, D']."""
        grid, size = vectors.shape[-1], self.image_size
        peak = maps.flatten(1).argmax(1)
        place = peak // size // self.stride * grid + peak % size // self.stride
        return vectors.flatten(2).gather(2, place[:, None, None].expand(-1, vectors.shape[1], 1))[..., 0]

    def looked_at(self, vectors: Tensor) -> Tensor:
        """vectors: [B, N · D, h, w]. Those of places that are looked at, [B, N · D, places, 1]; all as they are."""
        if self.inside is None:
            return vectors
        return vectors.flatten(2)[:, :, self.within(torch.ones_like(vectors[0, 0])).flatten() > 0, None]

    def columns_of(self, lights: Iterable[int]) -> Tensor:
        """Where in a vector of all lights these stand."""
        starts = torch.tensor([k * self.channels for k in lights], dtype=torch.int64)
        return (starts[:, None] + torch.arange(self.channels)).flatten()

    def _projected(self) -> list[tuple[Tensor | None, Level]]:
        return [(getattr(self, f"projection{i}"), level) for i, level in enumerate(self.teacher.levels)]

    def _level_energy(self, energy: Tensor) -> Tensor:
        """Mean square of each level over its channels and all lights, times their number, at each channel. [N · D]"""
        levels = energy.view(self.lights, self.channels).split(self.widths, 1)
        unit = torch.cat([level.mean().expand(width) * width for level, width in zip(levels, self.widths, strict=True)])
        return unit.repeat(self.lights)


def _projections(levels: Sequence[Level], room: int) -> list[Tensor | None]:
    """[K, C] with orthonormal rows for each level, K in proportion to C; None where all channels have room.

    Drawn from a fixed seed: directions of little variance, which the Mahalanobis distance lives on, stay in as they
    would not with principal components.
    """
    total = sum(level.channels for level in levels)
    if total <= room:
        return [None] * len(levels)
    generator = torch.Generator().manual_seed(0)
    widths = [max(1, level.channels * room // total) for level in levels]  # with many lights hardly any is left
    return [
        torch.linalg.qr(torch.randn(level.channels, width, generator=generator))[0].T
        for level, width in zip(levels, widths, strict=True)
    ]

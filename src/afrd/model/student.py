"""The student: decodes the embedding back into the teacher's levels (eq. 4), deepest first.

The mirror of a ResNet: each stage doubles the resolution, with the block counts of the teacher's stages reversed.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from afrd.model.blocks import initialise, stage
from afrd.model.teacher import Level

BLOCKS = (3, 4, 6)  # of the stages at stride 16, 8 and 4


class Student(nn.Module):
    """channels: of the embedding; levels: the teacher's, shallow first. Inner widths are half a level's channels."""

    def __init__(self, channels: int, levels: Sequence[Level]) -> None:
        super().__init__()
        self.stages = nn.ModuleList()
        for level, blocks in zip(reversed(levels), BLOCKS, strict=True):
            width = level.channels // 2
            self.stages.append(stage(channels, width, level.channels, blocks, resample="up", signed=level.signed))
            channels = level.channels
        initialise(self)

    def forward(self, embedding: Tensor) -> list[Tensor]:
        """embedding: [B, C, H / 32, W / 32]. Returns the teacher's levels, [B, C, h, w] each, shallow first."""
        levels = []
        for stage_ in self.stages:
            embedding = stage_(embedding)
            levels.append(embedding)
        return levels[::-1]

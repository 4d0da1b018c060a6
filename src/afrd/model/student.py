"""The student: decodes the embedding back into the teacher's levels (eq. 4), deepest first.

The mirror of a ResNet: each stage doubles the resolution, with the block counts of the teacher's stages reversed.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from afrd.model.blocks import initialise, stage
from afrd.model.teacher import Level

BLOCKS = (3, 4, 6)  # of the stages at stride 16, 8 and 4: ResNet-50's, reversed
LIGHT_BLOCKS = (2, 2, 2)  # for teachers with signed levels, which are small networks


class Student(nn.Module):
    """channels: of the embedding; levels: the teacher's, shallow first.

    A stage works at its level's `width`, inner convolutions at half of it. Where a level is signed a 1×1 convolution
    projects to its channels; otherwise the stage's output is the level.
    """

    def __init__(self, channels: int, levels: Sequence[Level]) -> None:
        super().__init__()
        self.stages, self.heads = nn.ModuleList(), nn.ModuleList()
        for level, *blocks in zip(reversed(levels), BLOCKS, LIGHT_BLOCKS, strict=True):
            self.stages.append(stage(channels, level.width // 2, level.width, blocks[level.signed], resample="up"))
            self.heads.append(nn.Conv2d(level.width, level.channels, 1) if level.signed else nn.Identity())
            channels = level.width
        initialise(self)

    def forward(self, embedding: Tensor) -> list[Tensor]:
        """embedding: [B, C, H / 32, W / 32]. Returns the teacher's levels, [B, C, h, w] each, shallow first."""
        levels = []
        for stage_, head in zip(self.stages, self.heads, strict=True):
            embedding = stage_(embedding)
            levels.append(head(embedding))
        return levels[::-1]

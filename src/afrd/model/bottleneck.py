"""The bottleneck: three fused levels become one compact embedding (eq. 3).

As in Reverse Distillation: multi-scale feature fusion brings all levels to the deepest one's resolution, one-class
embedding compresses them to half of it. Its channels follow from the teacher's levels alone (`Level.width`).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from afrd.model.blocks import conv3x3, initialise, stage
from afrd.model.teacher import Level

BLOCKS = 3


class Bottleneck(nn.Module):
    """levels: the teacher's, shallow first. channels: of the embedding, twice the deepest level's width."""

    def __init__(self, levels: Sequence[Level]) -> None:
        super().__init__()
        shallow, middle, deep = levels
        self.channels = 2 * deep.width
        self.shallow = nn.Sequential(*_halve(shallow.channels, middle.width), *_halve(middle.width, deep.width))
        self.middle = nn.Sequential(*_halve(middle.channels, deep.width))
        inputs = 2 * deep.width + deep.channels
        self.embedding = stage(inputs, self.channels // 2, self.channels, BLOCKS, resample="down")
        initialise(self)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """levels: [B, C, h, w] each, shallow first. Returns [B, channels, H / 32, W / 32]."""
        shallow, middle, deep = levels
        return self.embedding(torch.cat([self.shallow(shallow), self.middle(middle), deep], 1))


def _halve(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return conv3x3(inputs, outputs, stride=2), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)

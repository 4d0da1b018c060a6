"""The residual blocks that bottleneck and student share: ResNet's, and its mirror that doubles the resolution."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def conv3x3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)


def conv1x1(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 1, stride, bias=False)


def deconv2x2(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inputs, outputs, 2, 2, bias=False)


class ResidualBlock(nn.Module):
    """1×1 to the inner width, a spatial convolution, 1×1 back, plus a shortcut (ResNet's "bottleneck" block).

    resample: None keeps the resolution; "down" halves it with a strided 3×3, "up" doubles it with a 2×2 transposed
        convolution. A resampling block projects its shortcut in the same way.
    """

    def __init__(self, inputs: int, width: int, outputs: int, resample: str | None = None) -> None:
        super().__init__()
        spatial: Callable[[], nn.Module] = {
            None: lambda: conv3x3(width, width),
            "down": lambda: conv3x3(width, width, stride=2),
            "up": lambda: deconv2x2(width, width),
        }[resample]
        self.body = nn.Sequential(
            conv1x1(inputs, width),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            spatial(),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            conv1x1(width, outputs),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut: nn.Module = nn.Identity()
        if resample is not None:
            project = conv1x1(inputs, outputs, stride=2) if resample == "down" else deconv2x2(inputs, outputs)
            self.shortcut = nn.Sequential(project, nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.shortcut(x))


def stage(inputs: int, width: int, outputs: int, blocks: int, resample: str) -> nn.Sequential:
    """A resampling block followed by blocks - 1 that keep the resolution."""
    first = ResidualBlock(inputs, width, outputs, resample)
    return nn.Sequential(first, *(ResidualBlock(outputs, width, outputs) for _ in range(1, blocks)))


def initialise(module: nn.Module) -> None:
    """He initialisation of convolutions, unit batch norms: as in the Reverse Distillation code."""
    for m in module.modules():
        if isinstance(m, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(m, nn.BatchNorm2d):
            nn.init.ones_(m.weight)
            nn.init.zeros_(m.bias)

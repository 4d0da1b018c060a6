"""The teacher: a frozen ImageNet backbone that reads all N lights of a capture in one pass."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from afrd.errors import ModelError
from afrd.model.weights import Normalisation, empty_backbone, load_backbone, tensors_digest

STRIDES = (4, 8, 16)
DINOV2 = "dinov2_vits14"  # see `afrd.model.dinov2`


@dataclass(frozen=True)
class Level:
    """One level of the feature pyramid, as the teacher describes it; bottleneck and student are built from it.

    signed: whether features can be negative (EfficientNet's stages end without an activation, ResNet's with a ReLU).
    """

    channels: int
    stride: int
    signed: bool

    @property
    def width(self) -> int:
        """Channels at which bottleneck and student work at this stride.

        A signed level is a linear projection of something wider (MobileNet's linear bottleneck): EfficientNet-Lite0 has
        24 channels at stride 4. Its student works at no less than ResNet-18's 64, 128, 256 and ends in a projection.
        """
        return max(self.channels, 16 * self.stride) if self.signed else self.channels


class Teacher(nn.Module):
    """Frozen feature extractor, eq. 1 of the paper. Made by `Teacher.load` or, of a trained model, `from_state`.

    name: a timm backbone with feature maps at strides 4, 8 and 16; or DINOV2, which `joint` and `nearest` read.
    backbone: that model, weights in place. normalisation: what they expect.
    levels: the three levels, shallow first.
    Raises ModelError: no such strides.
    """

    def __init__(self, name: str, backbone: nn.Module, normalisation: Normalisation) -> None:
        super().__init__()
        self.name = name
        # what lies behind the last level goes, so nothing is computed in vain
        self.indices = backbone.prune_intermediate_layers(_level_indices(backbone, name))
        self.backbone = backbone
        self.register_buffer("mean", torch.tensor(normalisation.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(normalisation.std).view(1, 3, 1, 1))
        self.requires_grad_(False)
        self.to(memory_format=torch.channels_last)
        self.eval()
        self.levels = self._describe()

    @classmethod
    def load(cls, name: str, weights: str | Path | None = None) -> Self:
        """With pretrained weights: see `afrd.model.weights.load_backbone`. Raises WeightsError, ModelError."""
        if name == DINOV2:
            return _transformer().load(name, weights)
        return cls(name, *load_backbone(name, weights))

    @classmethod
    def from_state(cls, name: str, state: Mapping[str, Tensor]) -> Self:
        """With the `state_dict()` of a teacher, normalisation included: needs no hub, package or weights file."""
        if name == DINOV2:
            return _transformer().from_state(name, state)
        teacher = cls(name, *empty_backbone(name))
        teacher.load_state_dict(state)
        teacher.levels = teacher._describe()
        return teacher

    def _describe(self) -> tuple[Level, ...]:
        """The levels as they come out for a ramp of values: measured, since backbones only tell part of it."""
        size = 2 * max(STRIDES)
        ramp = torch.linspace(0, 1, 3 * size * size).view(1, 1, 3, size, size)
        try:
            levels = self(ramp)
        except AssertionError as error:
            raise ModelError(
                f"teacher {self.name!r}: reads images of one size only ({error}); choose a convolutional one, such "
                f"as efficientnet_lite0 or wide_resnet50_2.tv_in1k"
            ) from error
        return tuple(Level(x.shape[2], size // x.shape[-1], bool((x < 0).any())) for x in levels)

    def train(self, mode: bool = True) -> Self:
        """Stays in eval mode whatever is asked: batch-norm statistics are part of the frozen weights."""
        return super().train(False)

    def digest(self) -> str:
        """Identifies architecture and weights; equal digests give equal features."""
        return tensors_digest(self.state_dict())

    @torch.no_grad()
    def forward(self, images: Tensor) -> list[Tensor]:
        """images: [B, N, 3, H, W], RGB in [0, 1]; H and W multiples of 32.

        Returns one [B, N, C, H / stride, W / stride] tensor per level, shallow first.
        """
        b, n = images.shape[:2]
        x = ((images.flatten(0, 1) - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        levels = self.backbone.forward_intermediates(
            x, indices=self.indices, intermediates_only=True, output_fmt="NCHW"
        )
        return [level.unflatten(0, (b, n)) for level in levels]


def _transformer() -> type["Teacher"]:
    from afrd.model.dinov2 import DinoTeacher

    return DinoTeacher


def _level_indices(backbone: nn.Module, name: str) -> list[int]:
    """Indices of the feature maps at the wanted strides."""
    info = getattr(backbone, "feature_info", None)
    if not info or not hasattr(backbone, "prune_intermediate_layers"):
        raise ModelError(f"teacher {name!r}: gives no feature pyramid; choose a backbone such as efficientnet_lite0")
    reductions = [level["reduction"] for level in info]
    if not set(STRIDES) <= set(reductions):
        raise ModelError(
            f"teacher {name!r}: has feature levels at strides {reductions}; levels at {list(STRIDES)} are needed"
        )
    return [reductions.index(stride) for stride in STRIDES]

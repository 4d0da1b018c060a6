"""Fusion: the levels of N lights become one pyramid, the same for bottleneck, student and anomaly map.

Registered by name, as written on the command line: `single:K`, `mean`, `paper-attention`, `attention`.
Every fusion is a weighted sum over lights (eq. 7), so each can say how much of each light it used.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from afrd.errors import ModelError
from afrd.model.teacher import Level


class Fusion(nn.Module):
    """Base: weights per light and level, and the weighted sum.

    lights_used: indices of the lights that are read; the teacher need not see the others.
    is_fixed: nothing is trained, so fused features can be computed once and cached.
    """

    is_fixed = False

    def __init__(self, lights: int) -> None:
        super().__init__()
        self.lights = lights
        self.lights_used: tuple[int, ...] = tuple(range(lights))

    def weights(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """levels: [B, N, C, h, w] each. Returns [B, N] each: non-negative, rows sum to 1."""
        raise NotImplementedError

    def forward(self, levels: Sequence[Tensor]) -> tuple[list[Tensor], Tensor]:
        """levels: [B, N, C, h, w] each, N the lights that are used.

        Returns the fused levels, [B, C, h, w] each, and the weights [B, L, lights], zero for lights not used.
        """
        weights = self.weights(levels)
        fused = [torch.einsum("bn,bnchw->bchw", w, level) for w, level in zip(weights, levels, strict=True)]
        return fused, torch.stack(weights, 1)


class SingleLight(Fusion):
    """One light only: Reverse Distillation on light K (0-based), the paper's baseline."""

    is_fixed = True

    def __init__(self, lights: int, index: int) -> None:
        super().__init__(lights)
        if not 0 <= index < lights:
            raise ModelError(f"fusion single:{index}: lights are numbered 0 to {lights - 1}")
        self.lights_used = (index,)

    def forward(self, levels: Sequence[Tensor]) -> tuple[list[Tensor], Tensor]:
        weights = levels[0].new_zeros(levels[0].shape[0], len(levels), self.lights)
        weights[:, :, self.lights_used[0]] = 1
        return [level[:, 0] for level in levels], weights


class MeanFusion(Fusion):
    """The mean over lights, the paper's ablation."""

    is_fixed = True

    def forward(self, levels: Sequence[Tensor]) -> tuple[list[Tensor], Tensor]:
        weights = levels[0].new_full((levels[0].shape[0], len(levels), self.lights), 1 / self.lights)
        return [level.mean(1) for level in levels], weights


class PaperAttention(Fusion):
    """Eq. 6 and 7 as printed: flatten, concatenate, one fully connected layer, softmax; one layer per level.

    Kept so that the claim can be checked. It does not train: see docs/deviations.md.
    """

    def __init__(self, lights: int, levels: Sequence[Level], image_size: int) -> None:
        super().__init__(lights)
        self.fc = nn.ModuleList(
            nn.Linear(lights * level.channels * (image_size // level.stride) ** 2, lights) for level in levels
        )

    def weights(self, levels: Sequence[Tensor]) -> list[Tensor]:
        return [fc(level.flatten(1)).softmax(-1) for fc, level in zip(self.fc, levels, strict=True)]


class Attention(Fusion):
    """Eq. 6 and 7 made trainable: weights per light and level from the features of the whole set.

    Three changes, each for a measured reason (docs/deviations.md): every light is described by the mean magnitude of
    each channel instead of all its pixels; the description is standardised over the set, and the logits are divided by
    the square root of its length, so that they do not grow with it; the layer starts at zero, which is the mean.
    """

    def __init__(self, lights: int, levels: Sequence[Level]) -> None:
        super().__init__(lights)
        self.fc = nn.ModuleList(nn.Linear(lights * level.channels, lights) for level in levels)
        for fc in self.fc:
            nn.init.zeros_(fc.weight)
            nn.init.zeros_(fc.bias)

    def weights(self, levels: Sequence[Tensor]) -> list[Tensor]:
        return [self._level_weights(fc, level) for fc, level in zip(self.fc, levels, strict=True)]

    @staticmethod
    def _level_weights(fc: nn.Linear, level: Tensor) -> Tensor:
        description = level.abs().mean((-2, -1)).flatten(1)  # [B, N * C]
        description = nn.functional.layer_norm(description, description.shape[1:])
        logits = description @ fc.weight.T / math.sqrt(description.shape[1]) + fc.bias
        return logits.softmax(-1)


_FUSIONS: dict[str, Callable[[int, Sequence[Level], int], Fusion]] = {
    "mean": lambda lights, levels, size: MeanFusion(lights),
    "paper-attention": lambda lights, levels, size: PaperAttention(lights, levels, size),
    "attention": lambda lights, levels, size: Attention(lights, levels),
}
FUSIONS = ("single:K", *_FUSIONS)


def build_fusion(name: str, lights: int, levels: Sequence[Level], image_size: int) -> Fusion:
    """The fusion registered under a name. Raises ModelError: unknown name, or a light that does not exist."""
    kind, _, index = name.partition(":")
    if kind == "single":
        if not index.isdecimal():
            raise ModelError(
                f"fusion {name!r}: write single:K with the light's number, single:0 to single:{lights - 1}"
            )
        return SingleLight(lights, int(index))
    if name not in _FUSIONS:
        raise ModelError(f"fusion {name!r}: unknown; choose one of {', '.join(FUSIONS)}")
    return _FUSIONS[name](lights, levels, image_size)

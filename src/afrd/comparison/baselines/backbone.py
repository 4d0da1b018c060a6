"""The teacher's backbone as single-image baselines use it, and images as it expects them.

Knows no method. Weights come from `afrd.model.weights` only, so nothing is downloaded for a baseline that is not
downloaded for ours, and none runs on a random backbone unless random weights are asked for by name.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from afrd.comparison.job import Scored, Settings
from afrd.errors import ModelError
from afrd.model.weights import ALIASES, Normalisation, empty_backbone, load_backbone

INFERENCE_BATCH = 8


def load(settings: Settings) -> tuple[nn.Module, Normalisation]:
    """The settings' teacher: the whole classifier, frozen, in eval mode, and its normalisation. Raises WeightsError."""
    backbone, normalisation = load_backbone(settings.teacher, settings.teacher_weights)
    return backbone.eval().requires_grad_(False), normalisation


def untrained(settings: Settings) -> nn.Module:
    """The teacher's architecture with its random initialisation: what a student starts from."""
    return empty_backbone(settings.teacher)[0]


def architecture(settings: Settings) -> str:
    """The teacher's name without alias and tag: `wide_resnet50_2`."""
    return ALIASES.get(settings.teacher, settings.teacher).split(".")[0]


def layer_names(backbone: nn.Module, strides: tuple[int, ...]) -> list[str]:
    """Names of the modules whose outputs have these strides: of ResNets, `layer1` to `layer4` for 4, 8, 16, 32.

    Raises ModelError: the backbone has no such levels.
    """
    by_stride = {level["reduction"]: level["module"] for level in getattr(backbone, "feature_info", None) or ()}
    if not set(strides) <= set(by_stride):
        raise ModelError(
            f"teacher: has feature levels at strides {sorted(by_stride)}; the baseline needs {list(strides)}; choose "
            f"one such as efficientnet_lite0 or wide_resnet50_2.tv_in1k"
        )
    return [by_stride[stride] for stride in strides]


def normalised(images: np.ndarray, normalisation: Normalisation) -> Tensor:
    """uint8 RGB [M, 3, S, S] → float32, as the backbone's weights expect it."""
    mean = torch.tensor(normalisation.mean).view(1, 3, 1, 1)
    std = torch.tensor(normalisation.std).view(1, 3, 1, 1)
    return (torch.from_numpy(np.ascontiguousarray(images)).float() / 255 - mean) / std


def batches(images: np.ndarray, normalisation: Normalisation) -> Iterator[Tensor]:
    """All images in order, normalised."""
    for start in range(0, len(images), INFERENCE_BATCH):
        yield normalised(images[start : start + INFERENCE_BATCH], normalisation)


@torch.no_grad()
def score_images(
    answer: Callable[[Tensor], tuple[Tensor, Tensor | None]],
    holdout: np.ndarray,
    test: np.ndarray,
    normalisation: Normalisation,
) -> Scored:
    """Run a fitted method on both sets.

    answer: normalised images [B, 3, S, S] → scores [B] and maps [B, S, S], or None for a method without map.
    """
    scores, maps = [], []
    for images in (holdout, test):
        parts = [answer(batch) for batch in batches(images, normalisation)]
        scores.append(torch.cat([part[0].flatten() for part in parts]).double().numpy())
        has_map = parts[0][1] is not None
        maps.append(torch.cat([part[1].float() for part in parts]).numpy() if has_map else None)
    return Scored(scores[0], scores[1], maps[0], maps[1])

"""What every model of several lights shares: a frozen teacher, reading the lights, and the form of the answer."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from afrd.capture import CHANNELS, MAX_LIGHTS, MIN_LIGHTS
from afrd.errors import ModelError
from afrd.model.resizing import matrices, resize
from afrd.model.teacher import Teacher

SIZE_STEP = 32  # the embedding lies at stride 32


class Prediction(NamedTuple):
    """anomaly_map: [B, H, W] at the model's size; score: [B]; light_weights: [B, L, N], rows sum to 1.

    Those are how far the model goes by each light on each level; of one with evidence (`afrd.card.Capabilities`) what
    each light shows at the highest point of the map, L = 1.
    """

    anomaly_map: Tensor
    score: Tensor
    light_weights: Tensor


class MultiLightModel(nn.Module):
    """Base: images of N lights → the teacher's levels (`extract`) → Prediction (`judge`, by each model).

    teacher, teacher_weights: see `afrd.model.weights.load_backbone`; or a Teacher that is there already.
    lights: N, 1 to 16.
    image_size: side in pixels of the square that captures are resized to, a multiple of 32.
    top_share: see `afrd.model.anomaly_map.score`.
    highest: no score is above it. quantised: its modules that int8 rounds; the rest decides the answer and stays exact.
    Raises ModelError, WeightsError.
    """

    highest: float = math.inf
    quantised: tuple[str, ...] = ("teacher.backbone",)

    def __init__(
        self, teacher: str | Teacher, teacher_weights: str | Path | None, lights: int, image_size: int, top_share: float
    ) -> None:
        super().__init__()
        if not MIN_LIGHTS <= lights <= MAX_LIGHTS:
            raise ModelError(f"{lights} lights: expected {MIN_LIGHTS} to {MAX_LIGHTS}")
        if image_size < 2 * SIZE_STEP or image_size % SIZE_STEP:
            near = max(2 * SIZE_STEP, round(image_size / SIZE_STEP) * SIZE_STEP)
            raise ModelError(f"image size {image_size}: expected a multiple of {SIZE_STEP} from 64 up, such as {near}")
        self.lights, self.image_size, self.top_share = lights, image_size, top_share
        self.teacher = teacher if isinstance(teacher, Teacher) else Teacher.load(teacher, teacher_weights)
        self.look_at(None)

    def look_at(self, inside: np.ndarray | None) -> None:
        """inside: [S, S] bool, where the map may be above zero and whence is learned; None: everywhere."""
        self.register_buffer("inside", None if inside is None else torch.from_numpy(inside).float(), persistent=False)

    def trust(self, weights: Sequence[float]) -> bool:
        """weights: [N], how far to go by each light, 0 to 1. Returns whether this model can; others go by all alike."""
        return False

    def without_each(self) -> list[set[int] | None]:
        """For each light k the lights that judge without it; None where nothing would be left to judge by."""
        every, trusted = set(range(self.lights)), set(self._trusted())
        return [every - {k} if trusted - {k} else None for k in range(self.lights)]

    def _trusted(self) -> list[int]:
        """The lights that it goes by."""
        return list(range(self.lights))

    def within(self, maps: Tensor) -> Tensor:
        """maps: [..., S, S], or coarser by a whole number. Zero where it is not looked at, half or more of a place."""
        if self.inside is None:
            return maps
        step = len(self.inside) // maps.shape[-1]
        return maps * (avg_pool2d(self.inside[None, None], step)[0, 0] >= 0.5).to(maps)

    def size_as(self, state: Mapping[str, Tensor]) -> None:
        """state: trained tensors that are loaded next. For models with tensors as large as what was learned from."""

    @property
    def lights_used(self) -> tuple[int, ...]:
        """The lights that are read; the teacher need not see the others."""
        return tuple(range(self.lights))

    @property
    def fixed_fusion(self) -> str | None:
        """Names what makes one of all lights before anything is trained, so that this is cached; None: nothing."""
        return None

    def see(self, prepared: Tensor) -> list[Tensor]:
        """prepared: [B, N', C, S, S] in [0, 1], of the lights that are used. Returns [B, N', C, h, w] a level."""
        return self.teacher(prepared.expand(-1, -1, 3, -1, -1))

    def extract(self, images: Tensor, *which) -> list[Tensor]:
        """images: [B, N, C, H, W], uint8, uint16 or float in [0, 1], any size; C 3 (RGB) or 1 (grey).

        which: passed on to `see`.

        Returns the teacher's levels of the lights that are used, [B, N', C, h, w] each.
        """
        if images.ndim != 5 or images.shape[1] != self.lights or images.shape[2] not in CHANNELS:
            raise ModelError(
                f"images of shape {list(images.shape)}: expected [B, {self.lights}, 3, H, W], or 1 for 3 where grey"
            )
        return self.see(self.prepare(images[:, list(self.lights_used)]), *which)

    def beyond_teacher(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """What networks behind the teacher make of its levels [B, C, h, w], for `afrd.model.folding`; none: no such."""
        return []

    def forward(self, images: Tensor) -> Prediction:
        """images: as for `extract`."""
        return self.judge(self.extract(images))

    def judge(self, levels: Sequence[Tensor]) -> Prediction:
        """levels: what `extract` gives, now or from a cache."""
        raise NotImplementedError

    def prepare(self, images: Tensor) -> Tensor:
        """To floating point in [0, 1] at the model's size, resized in linear light (`afrd.imaging.resizing`)."""
        if not images.is_floating_point():
            images = images.to(torch.float32) / (255 if images.dtype == torch.uint8 else 65535)
        if images.shape[-2:] == (self.image_size, self.image_size):
            return images
        rows, columns = matrices(tuple(images.shape[-2:]), self.image_size)
        return resize(images, rows.to(images), columns.to(images))

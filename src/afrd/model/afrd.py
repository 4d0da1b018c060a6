"""Attention Fusion Reverse Distillation: teacher → fusion → bottleneck → student → anomaly map → score."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from afrd.errors import ModelError
from afrd.model.anomaly_map import AnomalyMap, score
from afrd.model.bottleneck import Bottleneck
from afrd.model.fusion import build_fusion
from afrd.model.multi_light import MultiLightModel, Prediction
from afrd.model.student import Student
from afrd.model.teacher import STRIDES, Teacher


class AFRD(MultiLightModel):
    """The whole network for captures of a fixed number of lights.

    fusion: a name from `afrd.model.fusion.FUSIONS`. The rest: see MultiLightModel. Raises ModelError, WeightsError.
    """

    quantised = ("teacher.backbone", "bottleneck", "student")

    def __init__(
        self,
        teacher: str | Teacher = "efficientnet_lite0",
        teacher_weights: str | Path | None = None,
        lights: int = 6,
        image_size: int = 256,
        fusion: str = "attention",
        top_share: float = 0.0,
    ) -> None:
        super().__init__(teacher, teacher_weights, lights, image_size, top_share)
        if tuple(level.stride for level in self.teacher.levels) != STRIDES:
            raise ModelError(
                f"teacher {self.teacher.name}: has no levels at strides {list(STRIDES)}, which fusion {fusion} "
                f"distils; take --fusion joint or nearest, or another teacher"
            )
        self.fusion = build_fusion(fusion, lights, self.teacher.levels, image_size)
        self.bottleneck = Bottleneck(self.teacher.levels)
        self.student = Student(self.bottleneck.channels, self.teacher.levels)
        self.anomaly_map = AnomalyMap(image_size)
        self.bottleneck.to(memory_format=torch.channels_last)
        self.student.to(memory_format=torch.channels_last)

    @property
    def lights_used(self) -> tuple[int, ...]:
        return self.fusion.lights_used

    @property
    def fixed_fusion(self) -> str | None:
        return type(self.fusion).__name__ if self.fusion.is_fixed else None

    def fuse(self, levels: Sequence[Tensor]) -> tuple[list[Tensor], Tensor]:
        """levels: of the lights that the fusion uses, [B, N', C, h, w] each.

        Returns the target of the student, [B, C, h, w] each, and the light weights [B, L, N].
        """
        return self.fusion(levels)

    def reconstruct(self, target: Sequence[Tensor]) -> list[Tensor]:
        """target: fused levels, [B, C, h, w] each. Returns the student's, of the same shapes."""
        target = [t.contiguous(memory_format=torch.channels_last) for t in target]
        return self.student(self.bottleneck(target))

    def beyond_teacher(self, levels: Sequence[Tensor]) -> list[Tensor]:
        return self.reconstruct(levels)

    def distil(self, levels: Sequence[Tensor], fused: bool = False) -> tuple[list[Tensor], list[Tensor], Tensor | None]:
        """What training compares. levels: of the lights that the fusion uses, or, if `fused`, what it made of them.

        Returns target and student levels, [B, C, h, w] each, and the light weights [B, L, N] (None if `fused`).
        """
        target, weights = (list(levels), None) if fused else self.fuse(levels)
        return target, self.reconstruct(target), weights

    def judge(self, levels: Sequence[Tensor]) -> Prediction:
        """levels: what `extract` gives, now or from a cache."""
        target, weights = self.fuse(levels)
        anomaly_map = self.within(self.anomaly_map(target, self.reconstruct(target)))
        return Prediction(anomaly_map, score(anomaly_map, self.top_share), weights)

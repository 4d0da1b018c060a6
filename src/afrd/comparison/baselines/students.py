"""Uninformed Students, Bergmann et al. 2020: where students that regress a teacher err, or differ, is a defect.

Three students a scale are trained on good images only to predict the teacher's descriptor at every place, normalised
by its mean and deviation over the training images; the loss is the squared error. Two maps a scale: the squared error
of the students' mean, and the students' variance. Both are standardised by held-out good images, added, and averaged
over the scales; the score is the maximum. Adam at 1e-4, weight decay 1e-5.

Departures. The paper distils its teacher from a ResNet-18 on ImageNet crops, for patches of 17, 33 and 65 pixels;
there is no ImageNet here, so the frozen teacher's levels at strides 4, 8 and 16 are the descriptors of the three
scales, and the students, which see small patches only, are the paper's idea of them: convolutions of 3 × 3 that halve
two, three and four times. The paper trains on random patches of an image, here on whole images, which is the same for
a convolution.
"""

import numpy as np
import torch
from lightning_fabric.utilities.seed import seed_everything
from torch import Tensor, nn
from torch.nn.functional import interpolate

from afrd.comparison.baselines import backbone as backbones
from afrd.comparison.baselines.shared_features import SharedFeatures
from afrd.comparison.baselines.training import train as minimise
from afrd.comparison.job import Scored, Settings

STUDENTS = 3
STRIDES = (4, 8, 16)
WIDTH = 64


class Student(nn.Module):
    """halvings: log2 of the stride. [B, 3, S, S] → [B, channels, S / stride, S / stride]."""

    def __init__(self, halvings: int, channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for _ in range(halvings):
            layers += [nn.Conv2d(before, WIDTH, 3, 2, 1), nn.LeakyReLU(5e-3, inplace=True)]
            before = WIDTH
        layers += [nn.Conv2d(WIDTH, 2 * WIDTH, 3, 1, 1), nn.LeakyReLU(5e-3, inplace=True)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(2 * WIDTH, channels, 1))

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


def students(train: np.ndarray, holdout: np.ndarray, test: np.ndarray, settings: Settings, seed: int) -> Scored:
    """Maps and scores."""
    seed_everything(seed, verbose=False)
    backbone, normalisation = backbones.load(settings)
    names = backbones.layer_names(backbone, STRIDES)
    teacher = SharedFeatures(backbone)
    images = backbones.normalised(train, normalisation)
    known = [teacher.read(batch, names) for batch in images.split(8)]
    levels = [torch.cat([each[name] for each in known]) for name in names]
    means = [level.mean((0, 2, 3), keepdim=True) for level in levels]
    deviations = [level.std((0, 2, 3), keepdim=True).clamp(min=1e-6) for level in levels]
    ensembles = [
        nn.ModuleList(Student(k, level.shape[1]) for _ in range(STUDENTS)) for k, level in enumerate(levels, 2)
    ]

    def differences(batch: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Per scale: students [M, B, C, h, w] and the teacher's normalised descriptors [B, C, h, w]."""
        read = teacher.read(batch, names)
        return [
            (torch.stack([student(batch) for student in ensemble]), (read[name] - mean) / deviation)
            for ensemble, name, mean, deviation in zip(ensembles, names, means, deviations, strict=True)
        ]

    def loss_of(batch: Tensor) -> Tensor:
        return sum((said - target).square().mean() for said, target in differences(batch))

    parameters = [p for ensemble in ensembles for p in ensemble.parameters()]
    minimise(loss_of, torch.optim.Adam(parameters, lr=1e-4, weight_decay=1e-5), images, settings, seed)
    size = (settings.image_size,) * 2

    @torch.no_grad()
    def maps_of(some: np.ndarray) -> Tensor:
        """[K, 2 · scales, S, S]: error and variance of each scale."""
        found = []
        for batch in backbones.batches(some, normalisation):
            parts = []
            for said, target in differences(batch):
                error = (said.mean(0) - target).square().sum(1, keepdim=True)
                parts += [error, said.var(0, unbiased=False).sum(1, keepdim=True)]
            found.append(torch.cat([interpolate(p, size, mode="bilinear", align_corners=False) for p in parts], 1))
        return torch.cat(found)

    held, tested = maps_of(holdout), maps_of(test)
    mean, deviation = held.mean((0, 2, 3), keepdim=True), held.std((0, 2, 3), keepdim=True).clamp(min=1e-12)
    joined = [(((maps - mean) / deviation).sum(1) / len(STRIDES)).numpy() for maps in (held, tested)]
    return Scored(joined[0].max((1, 2)).astype(float), joined[1].max((1, 2)).astype(float), *joined)

"""CDO, Cao et al. 2023: a student that is close to its teacher on good places and far from it on painted ones.

The student has the teacher's architecture, untrained. Random patches of noise are pasted into half of a batch. At
every place of the levels at strides 4, 8 and 16 the discrepancy is the squared distance of the two unit features.
Margin optimisation lowers it on good places and raises it on painted ones; overlap optimisation weighs places by how
far they lie on the wrong side: (d / mean)^γ on good, (d / mean)^-γ on painted, γ 2, without gradient. The map is the
sum of the enlarged discrepancies, smoothed; the score its maximum. Adam at 1e-4.

Left open or otherwise here: the paper's teacher is an HRNet-32, here it is the settings'; number and size of the
patches (one to five, an eighth to a quarter of the side) are not stated, nor is which share of a batch has them; the
painted discrepancy is bounded, as unit features are, and needs no margin.
"""

import numpy as np
import torch
from lightning_fabric.utilities.seed import seed_everything
from torch import Tensor
from torch.nn.functional import interpolate, normalize

from afrd.comparison.baselines import backbone as backbones
from afrd.comparison.baselines.shared_features import SharedFeatures
from afrd.comparison.baselines.training import train as minimise
from afrd.comparison.job import Scored, Settings
from afrd.model.anomaly_map import AnomalyMap

STRIDES = (4, 8, 16)
GAMMA = 2.0
PATCHES = 5
RATE = 1e-4


def paint(images: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Noise in patches of every second image, normalised as they are. Returns [B, 3, S, S] and masks [B, 1, S, S]."""
    painted, masks = images.clone(), torch.zeros_like(images[:, :1])
    size = images.shape[-1]

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high, (), generator=generator))

    for k in range(0, len(images), 2):
        for _ in range(draw(1, PATCHES + 1)):
            height, width = draw(size // 8, size // 4 + 1), draw(size // 8, size // 4 + 1)
            y, x = draw(0, size - height + 1), draw(0, size - width + 1)
            painted[k, :, y : y + height, x : x + width] = torch.randn(3, height, width, generator=generator)
            masks[k, :, y : y + height, x : x + width] = 1
    return painted, masks


def collaborative_loss(discrepancy: Tensor, masks: Tensor) -> Tensor:
    """discrepancy: [B, 1, h, w]; masks: of the same size, 1 where painted."""
    good, bad = discrepancy[masks < 0.5], discrepancy[masks >= 0.5]
    weights = (good / good.mean().clamp(min=1e-12)).detach() ** GAMMA
    total, share = (weights * good).sum(), weights.sum()
    if len(bad):
        wrong = (bad / bad.mean().clamp(min=1e-12)).detach().clamp(min=1e-3) ** -GAMMA
        total, share = total - (wrong * bad).sum(), share + wrong.sum()
    return total / share.clamp(min=1e-12)


def cdo(train: np.ndarray, holdout: np.ndarray, test: np.ndarray, settings: Settings, seed: int) -> Scored:
    """Maps and scores."""
    seed_everything(seed, verbose=False)
    backbone, normalisation = backbones.load(settings)
    names = backbones.layer_names(backbone, STRIDES)
    teacher, generator = SharedFeatures(backbone), torch.Generator().manual_seed(seed)
    student = backbones.untrained(settings)
    levels = [level["module"] for level in student.feature_info]
    indices = [levels.index(name) for name in names]
    smooth, size = AnomalyMap(settings.image_size).smooth, (settings.image_size,) * 2

    def discrepancies(images: Tensor) -> list[Tensor]:
        known = teacher.read(images, names)
        _, learned = student.forward_intermediates(images, indices=indices, output_fmt="NCHW")
        pairs = zip([known[name] for name in names], learned, strict=True)
        return [(normalize(a, dim=1) - normalize(b, dim=1)).square().sum(1, keepdim=True) for a, b in pairs]

    def loss_of(images: Tensor) -> Tensor:
        painted, masks = paint(images, generator)
        found = discrepancies(painted)
        return sum(collaborative_loss(d, interpolate(masks, d.shape[-2:], mode="nearest")) for d in found)

    student.train()
    optimizer = torch.optim.Adam(student.parameters(), lr=RATE)
    minimise(loss_of, optimizer, backbones.normalised(train, normalisation), settings, seed)
    student.eval()

    def answer(images: Tensor) -> tuple[Tensor, Tensor]:
        found = discrepancies(images)
        maps = sum(interpolate(d, size, mode="bilinear", align_corners=False) for d in found)
        maps = smooth(maps)[:, 0]
        return maps.amax((1, 2)), maps

    return backbones.score_images(answer, holdout, test, normalisation)

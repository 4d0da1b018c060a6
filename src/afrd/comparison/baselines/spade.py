"""SPADE, Cohen and Hoshen 2020: nearest neighbours on the teacher's features, of whole images and of pixels.

The score is the mean squared distance of the pooled last features to the K nearest training images. The map is the
distance of each pixel's features (levels at strides 4, 8 and 16, enlarged to stride 4 and concatenated) to the nearest
of all pixels of those K images, enlarged and smoothed with our Gaussian (σ 4 at 256², the paper's too). Nothing is
random and nothing is trained.

Departures: K is 5 instead of 50, which would be nearly all of a small training set; the last features are pooled as the
teacher's classifier pools them.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from afrd.comparison.baselines import backbone as backbones
from afrd.comparison.baselines.shared_features import POOLED, SharedFeatures
from afrd.comparison.job import Scored, Settings
from afrd.model.anomaly_map import AnomalyMap
from afrd.model.weights import Normalisation

NEIGHBOURS = 5
CHUNK = 2048
STRIDES = (4, 8, 16)
GALLERY = 64  # training images whose pixels are kept; others are read again when they are neighbours


def spade(
    train: np.ndarray, holdout: np.ndarray, test: np.ndarray, settings: Settings, seed: int, store: Path | None = None
) -> Scored:
    """Scores and maps; the seed changes nothing."""
    backbone, normalisation = backbones.load(settings)
    layers = backbones.layer_names(backbone, STRIDES)
    features, smooth = SharedFeatures(backbone, store), AnomalyMap(settings.image_size).smooth
    whole = _whole(features, train, normalisation)
    size = (settings.image_size, settings.image_size)

    @lru_cache(GALLERY)
    def pixels_of(index: int) -> Tensor:
        image = backbones.normalised(train[index : index + 1], normalisation)
        return _pixels(features.read(image, layers), layers)[0]

    def answer(images: Tensor) -> tuple[Tensor, Tensor]:
        levels = features.read(images, [*layers, POOLED])
        nearest = torch.cdist(levels[POOLED], whole).topk(min(NEIGHBOURS, len(whole)), largest=False)
        galleries = (torch.stack([pixels_of(k) for k in row]) for row in nearest.indices.tolist())
        pixels = _pixels(levels, layers)
        maps = torch.stack([_pixel_map(p, gallery) for p, gallery in zip(pixels, galleries, strict=True)])
        maps = smooth(interpolate(maps[:, None], size, mode="bilinear", align_corners=False))
        return nearest.values.square().mean(1), maps[:, 0]

    return backbones.score_images(answer, holdout, test, normalisation)


def _whole(features: SharedFeatures, train: np.ndarray, normalisation: Normalisation) -> Tensor:
    """Features of all M training images, [M, D]."""
    return torch.cat([features.read(batch, [POOLED])[POOLED] for batch in backbones.batches(train, normalisation)])


def _pixels(levels: dict[str, Tensor], layers: list[str]) -> Tensor:
    """Features of each pixel, [B, C, S / 4, S / 4]."""
    size = levels[layers[0]].shape[-2:]
    return torch.cat([interpolate(levels[name], size, mode="bilinear", align_corners=False) for name in layers], 1)


def _pixel_map(pixels: Tensor, neighbours: Tensor) -> Tensor:
    """Distance of each pixel [C, h, w] to the nearest of all pixels of the neighbours [K, C, h, w]. Returns [h, w]."""
    queries = pixels.flatten(1).T
    keys = neighbours.transpose(0, 1).flatten(1)
    squares = keys.square().sum(0)
    # |q - k|² = |q|² + |k|² - 2 qk, of which |q|² does not matter to which k is nearest
    parts = [torch.addmm(squares, q, keys, alpha=-2).amin(1) for q in queries.split(CHUNK)]
    return (torch.cat(parts) + queries.square().sum(1)).clamp(min=0).sqrt().view(pixels.shape[1:])

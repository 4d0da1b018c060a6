"""HIT-MiLF, Farady et al. 2023: a mixture of Gaussians learns features of images and of their transformed copies.

Hierarchical image transformation: every training image stays, and gets copies of three steps, each applied to what
the step before made: brightness and contrast; then blur; then noise. Multi-level features: the levels at strides 8
and 16 of the frozen backbone, enlarged to one size and concatenated. A Gaussian mixture is fitted to places of good
images; the map is the negative log-likelihood, smoothed, the score its maximum. Nothing but the draw of places and of
transformations is random.

Left open in what could be read of the paper: the strengths (brightness and contrast by up to 20 %, Gaussian blur of 1
pixel, noise of 2 %), which levels were best ("the most efficient layer" is searched on their data), the number of
components (4 here, with full covariances after a PCA to 64 dimensions) and whether the mixture is of places or of
whole images; places here, as there is a map to compare then.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision.transforms.v2.functional import gaussian_blur

from afrd.comparison.baselines import backbone as backbones
from afrd.comparison.baselines.shared_features import SharedFeatures
from afrd.comparison.job import Scored, Settings
from afrd.errors import MissingExtraError
from afrd.model.anomaly_map import AnomalyMap

try:
    from sklearn.decomposition import PCA
    from sklearn.mixture import GaussianMixture
except ImportError as error:
    raise MissingExtraError("scikit-learn", "baselines") from error

STRIDES = (8, 16)
COMPONENTS, DIMENSIONS = 4, 64
PLACES = 20_000
LIGHT, BLUR, NOISE = 0.2, 1.0, 0.02


def transformed(images: np.ndarray, seed: int) -> np.ndarray:
    """[M, 3, S, S] uint8 → [4 M, 3, S, S]: the images, and three steps of what non-ideal conditions make of them."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.from_numpy(images).float() / 255
    steps = [x]
    gain, offset = (LIGHT * (2 * torch.rand(len(x), 1, 1, 1, generator=generator) - 1) for _ in range(2))
    x = ((x - 0.5) * (1 + gain) + 0.5 + offset).clamp(0, 1)
    steps.append(x)
    x = gaussian_blur(x, [5, 5], [BLUR, BLUR])
    steps.append(x)
    steps.append((x + NOISE * torch.randn(x.shape, generator=generator)).clamp(0, 1))
    return torch.cat(steps).mul(255).round().to(torch.uint8).numpy()


def hit_milf(train: np.ndarray, holdout: np.ndarray, test: np.ndarray, settings: Settings, seed: int) -> Scored:
    """Maps and scores."""
    backbone, normalisation = backbones.load(settings)
    names = backbones.layer_names(backbone, STRIDES)
    teacher, smooth = SharedFeatures(backbone), AnomalyMap(settings.image_size).smooth
    size = (settings.image_size,) * 2

    def places(images: Tensor) -> Tensor:
        """[B, h, w, D]."""
        levels = list(teacher.read(images, names).values())
        grid = levels[0].shape[-2:]
        return torch.cat([interpolate(x, grid, mode="bilinear", align_corners=False) for x in levels], 1).movedim(1, -1)

    every = transformed(train, seed)
    kept, draw = max(1, PLACES // len(every)), np.random.default_rng(seed)
    chosen = []
    for batch in backbones.batches(every, normalisation):
        for one in places(batch).flatten(1, 2).numpy():
            chosen.append(one[draw.permutation(len(one))[:kept]])
    sample = np.concatenate(chosen)
    reduced = PCA(min(DIMENSIONS, *sample.shape), whiten=True, random_state=seed).fit(sample)
    mixture = GaussianMixture(COMPONENTS, reg_covar=1e-3, random_state=seed).fit(reduced.transform(sample))

    def answer(images: Tensor) -> tuple[Tensor, Tensor]:
        found = places(images)
        flat = reduced.transform(found.flatten(0, 2).numpy())
        maps = torch.from_numpy(-mixture.score_samples(flat)).float().view(found.shape[:3])
        maps = smooth(interpolate(maps[:, None], size, mode="bilinear", align_corners=False))[:, 0]
        return maps.amax((1, 2)), maps

    return backbones.score_images(answer, holdout, test, normalisation)

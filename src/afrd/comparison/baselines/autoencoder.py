"""The convolutional autoencoder of Bergmann et al. 2018, with SSIM or squared error as loss and as map.

Sees pixels only: no teacher. Architecture, latent size (100), Adam with its weight decay (1e-5) and SSIM window are the
paper's; at 256² it has one more halving than at the paper's 128², as in the authors' MVTec AD paper. Maps are not
smoothed, as in the paper; the score is the map's maximum.

Departures:
- whole images without augmentation instead of random patches;
- SSIM of each colour channel, averaged, since the paper's images are grey;
- five halvings at every size, so that the last kernel is a 32nd of the image;
- a learning rate of 1e-3 instead of 2e-4, with which the few hundred steps that a small training set allows leave even
  held-out good images unreproduced.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from lightning_fabric.utilities.seed import seed_everything
from torch import Tensor, nn

from afrd.comparison.baselines import backbone as backbones
from afrd.comparison.baselines.ssim import similarity
from afrd.comparison.baselines.training import autocast
from afrd.comparison.baselines.training import train as minimise
from afrd.comparison.job import Scored, Settings
from afrd.model.weights import Normalisation

LATENT = 100
CHANNELS = (32, 32, 32, 32, 64, 64, 128, 64, 32)  # table 1 of the paper with its first layer twice
HALVING = (0, 1, 2, 4, 6)  # layers of stride 2
UNIT = Normalisation((0.0,) * 3, (1.0,) * 3)


class Autoencoder(nn.Module):
    """image_size: pixels, a multiple of 32."""

    def __init__(self, image_size: int) -> None:
        super().__init__()
        encoder, decoder = nn.Sequential(), nn.Sequential()
        for i, (before, after) in enumerate(pairwise((3, *CHANNELS))):
            kernel, stride = (4, 2) if i in HALVING else (3, 1)
            encoder.extend([nn.Conv2d(before, after, kernel, stride, 1), nn.LeakyReLU(0.2, inplace=True)])
            decoder.insert(0, nn.LeakyReLU(0.2, inplace=True))
            decoder.insert(1, nn.ConvTranspose2d(after, before, kernel, stride, 1))
        last = image_size // 32
        self.encoder = encoder.append(nn.Conv2d(CHANNELS[-1], LATENT, last))
        self.decoder = decoder.insert(0, nn.ConvTranspose2d(LATENT, CHANNELS[-1], last))

    def forward(self, images: Tensor) -> Tensor:
        """[B, 3, S, S] in [0, 1] → their reconstructions; the output is linear."""
        return self.decoder(self.encoder(images))


def ssim(train: np.ndarray, holdout: np.ndarray, test: np.ndarray, settings: Settings, seed: int) -> Scored:
    """Trained on 1 - SSIM, and that is its map."""
    return _run(_dissimilarity, train, holdout, test, settings, seed)


def l2(train: np.ndarray, holdout: np.ndarray, test: np.ndarray, settings: Settings, seed: int) -> Scored:
    """Trained on the squared error, and that is its map."""
    return _run(_squared_error, train, holdout, test, settings, seed)


def _dissimilarity(images: Tensor, reconstructions: Tensor) -> Tensor:
    return 1 - similarity(images, reconstructions).mean(1)


def _squared_error(images: Tensor, reconstructions: Tensor) -> Tensor:
    return (images - reconstructions).square().mean(1)


def _run(
    compare: Callable[[Tensor, Tensor], Tensor],
    train: np.ndarray,
    holdout: np.ndarray,
    test: np.ndarray,
    settings: Settings,
    seed: int,
) -> Scored:
    """compare: images, reconstructions [B, 3, S, S] → map [B, S, S], whose mean is the loss."""
    seed_everything(seed, verbose=False)
    model = Autoencoder(settings.image_size).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-5)

    def reconstruct(images: Tensor) -> Tensor:
        with autocast(settings):
            return model(images.contiguous(memory_format=torch.channels_last)).float()

    minimise(lambda x: compare(x, reconstruct(x)).mean(), optimizer, backbones.normalised(train, UNIT), settings, seed)
    model.eval()

    def answer(images: Tensor) -> tuple[Tensor, Tensor]:
        maps = compare(images, model(images))
        return maps.amax((1, 2)), maps

    return backbones.score_images(answer, holdout, test, UNIT)

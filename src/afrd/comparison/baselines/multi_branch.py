"""The multi-branch network of Leroux et al. 2022, for the lights of one capture instead of day, night, sun and rain.

Theirs predicts frames of a video: a trainable preprocessing step, shared by all conditions, and one identical branch
for each condition, which alone learns from frames taken under it. Of stills there is nothing to predict, so a branch
reproduces its light's image: the preprocessing is a shared convolutional layer, a branch the autoencoder of this
comparison (`autoencoder`) behind it, the loss the squared error under every light. A light's map is the squared
error; the capture's is the mean over the lights, as the score is the maximum of that.

Left open by their text, or meant for video: how a branch is chosen where the condition is unknown (here each light is
known), the preprocessing's width, and the loss's weights of intensity and gradient, of which only the first is used.
"""

import numpy as np
import torch
from lightning_fabric.utilities.seed import seed_everything
from torch import Tensor, nn

from afrd.comparison.baselines import backbone as backbones
from afrd.comparison.baselines.autoencoder import UNIT, Autoencoder
from afrd.comparison.baselines.training import train as minimise
from afrd.comparison.class_data import ClassData
from afrd.comparison.job import Job, Scored, Settings


class MultiBranch(nn.Module):
    """[B, N, 3, S, S] → the reproduction of every light, the same shape."""

    def __init__(self, lights: int, image_size: int) -> None:
        super().__init__()
        self.shared = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.LeakyReLU(0.2))
        self.branches = nn.ModuleList(Autoencoder(image_size) for _ in range(lights))

    def forward(self, images: Tensor) -> Tensor:
        return torch.stack([branch(self.shared(images[:, k])) for k, branch in enumerate(self.branches)], 1)


def multi_branch(data: ClassData, job: Job, settings: Settings) -> Scored:
    """Reads every light of a capture."""
    lights = len(data.lights)
    train, holdout, test = (
        torch.stack([backbones.normalised(data.images(part, str(k)), UNIT) for k in range(lights)], 1)
        for part in ("train", "holdout", "test")
    )
    return reproduce(train, holdout, test, settings, job.seed)


def reproduce(train: Tensor, holdout: Tensor, test: Tensor, settings: Settings, seed: int) -> Scored:
    """Captures of N lights each, [M, N, 3, S, S] in [0, 1]."""
    seed_everything(seed, verbose=False)
    model = MultiBranch(train.shape[1], settings.image_size)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-5)
    minimise(lambda x: (model(x) - x).square().mean(), optimizer, train, settings, seed)
    model.eval()
    with torch.no_grad():
        each = [
            torch.cat([(model(batch) - batch).square().mean((1, 2)) for batch in some.split(8)]).numpy()
            for some in (holdout, test)
        ]
    scores = [maps.max((1, 2)).astype(np.float64) for maps in each]
    return Scored(*scores, *each)

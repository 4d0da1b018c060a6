"""RIAD, Zavrtanik et al. 2021: an image is inpainted from its other parts; what comes out differently is a defect.

A grid of k × k pixel cells is split at random into three sets; each set is blanked in turn and inpainted by one
U-Net, and the inpainted cells make the reconstruction. k is drawn from 2, 4, 8, 16 at every step. The loss is the sum
of the squared error, 1 - SSIM and the multi-scale gradient magnitude similarity (MSGMS), equally weighted; the map is
the mean over the four k of 1 - MSGMS, smoothed by a 21-pixel mean filter; the score is its maximum. Adam at 1e-4.

What the paper leaves open, and is chosen here: widths and depth of the U-Net (four halvings, 32 to 256 channels;
theirs was several times wider) and its normalisation (batch norm); the padding of gradients at the border (mirrored);
that the three sets at test are drawn with a fixed seed. 300 epochs become the settings'.
"""

import numpy as np
import torch
from lightning_fabric.utilities.seed import seed_everything
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, interpolate, pad

from afrd.comparison.baselines import backbone as backbones
from afrd.comparison.baselines.autoencoder import UNIT
from afrd.comparison.baselines.ssim import similarity
from afrd.comparison.baselines.training import train as minimise
from afrd.comparison.job import Scored, Settings

CELLS = (2, 4, 8, 16)
SETS = 3
WIDTHS = (32, 64, 128, 256)
SCALES = 4
C = 0.0026  # of the gradient magnitude similarity, for values in [0, 1]
SMOOTHING = 21


class UNet(nn.Module):
    """[B, 3, S, S] → [B, 3, S, S]; S a multiple of 16."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        before = 3
        for width in WIDTHS:
            self.down.append(_block(before, width))
            before = width
        self.bottom = _block(before, before)
        for width in reversed(WIDTHS):
            self.up.append(_block(before + width, width))
            before = width
        self.out = nn.Conv2d(before, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        skipped = []
        for block in self.down:
            x = block(x)
            skipped.append(x)
            x = avg_pool2d(x, 2)
        x = self.bottom(x)
        for block in self.up:
            skip = skipped.pop()
            x = block(torch.cat([interpolate(x, skip.shape[-2:], mode="nearest"), skip], 1))
        return self.out(x)


def _block(before: int, after: int) -> nn.Sequential:
    layers = []
    for width in (before, after):
        layers += [nn.Conv2d(width, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def masks(size: int, cell: int, generator: torch.Generator) -> Tensor:
    """[3, 1, S, S]: each pixel is 1 in exactly one of the three, cells of `cell` pixels together."""
    count = -(-size // cell)
    chosen = torch.randperm(count * count, generator=generator).view(count, count) % SETS
    cells = torch.stack([chosen == k for k in range(SETS)]).float()
    return cells.repeat_interleave(cell, 1).repeat_interleave(cell, 2)[:, None, :size, :size]


def inpaint(model: nn.Module, images: Tensor, cell: int, generator: torch.Generator) -> Tensor:
    """[B, 3, S, S] → what the model makes of each pixel without having seen its cell."""
    removed = masks(images.shape[-1], cell, generator)
    return sum(model(images * (1 - hidden)) * hidden for hidden in removed)


def gradient_difference(a: Tensor, b: Tensor) -> Tensor:
    """1 - MSGMS of [B, 3, S, S] in [0, 1]: [B, 1, S, S], 0 where all gradients are alike."""
    total, size = torch.zeros((), device=a.device), a.shape[-2:]
    for scale in range(SCALES):
        if scale:
            a, b = avg_pool2d(a, 2), avg_pool2d(b, 2)
        g, h = _magnitude(a), _magnitude(b)
        alike = (2 * g * h + C) / (g.square() + h.square() + C)
        total = total + interpolate(1 - alike, size, mode="bilinear", align_corners=False)
    return total / SCALES


def _magnitude(images: Tensor) -> Tensor:
    """Prewitt, of the mean of the channels. [B, 1, h, w]."""
    grey = pad(images.mean(1, keepdim=True), (1, 1, 1, 1), mode="reflect")
    across = torch.tensor([[1.0, 0.0, -1.0]] * 3, device=images.device) / 3
    kernels = torch.stack([across, across.T])[:, None]
    return (conv2d(grey, kernels).square().sum(1, keepdim=True) + 1e-12).sqrt()


def riad(train: np.ndarray, holdout: np.ndarray, test: np.ndarray, settings: Settings, seed: int) -> Scored:
    """Trained on the images alone: no teacher."""
    seed_everything(seed, verbose=False)
    model, generator = UNet(), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)

    def loss_of(images: Tensor) -> Tensor:
        cell = CELLS[int(torch.randint(len(CELLS), (), generator=generator))]
        made = inpaint(model, images, cell, generator)
        squares = (made - images).square().mean()
        return squares + (1 - similarity(made, images)).mean() + gradient_difference(made, images).mean()

    minimise(loss_of, optimizer, backbones.normalised(train, UNIT), settings, seed)
    model.eval()

    def answer(images: Tensor) -> tuple[Tensor, Tensor]:
        fixed = torch.Generator().manual_seed(seed)
        each = [gradient_difference(inpaint(model, images, cell, fixed), images) for cell in CELLS]
        around = (SMOOTHING // 2,) * 4
        maps = avg_pool2d(pad(torch.stack(each).mean(0), around, mode="reflect"), SMOOTHING, 1)[:, 0]
        return maps.amax((1, 2)), maps

    return backbones.score_images(answer, holdout, test, UNIT)

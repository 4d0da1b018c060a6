"""The plain loop of the baselines that are trained by gradient: shuffled passes, one optimiser, nothing else."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from afrd.comparison.job import Settings
from afrd.errors import RunError


def shuffled(count: int, settings: Settings, seed: int) -> Iterator[np.ndarray]:
    """Indices of every batch of every epoch; the order follows from seed and epoch."""
    for epoch in range(settings.epochs):
        order = np.random.default_rng((seed, epoch)).permutation(count)
        yield from np.array_split(order, range(settings.batch_size, count, settings.batch_size))


def train(
    loss_of: Callable[[Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    settings: Settings,
    seed: int,
) -> None:
    """Minimise loss_of(batch) over `settings.epochs` passes. images: [M, 3, S, S]. Raises RunError: diverged."""
    for batch in shuffled(len(images), settings, seed):
        loss = loss_of(images[batch])
        require_finite(loss)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def require_finite(loss: Tensor) -> None:
    """Raises RunError: not a number, or infinite."""
    if not torch.isfinite(loss):
        raise RunError(f"a baseline's training diverged: its loss is {loss.item()}; try --precision 32-true")


def autocast(settings: Settings) -> torch.autocast:
    """bfloat16 where the settings ask for it."""
    return torch.autocast("cpu", torch.bfloat16, enabled=settings.precision == "bf16-mixed")

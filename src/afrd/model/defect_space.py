"""In which directions defects change a place's vector: those count in the distance, the others are noise.

The Mahalanobis distance weighs all directions alike, by how little good parts move along them. Of a thousand, a stain
or a dent moves some tens. So the covariance S of the changes that defects make is learned, from the same captures with
and without a painted defect, and the distance becomes the likelihood ratio of two Gaussians: good parts, and good parts
plus a defect of covariance a · S. In whitened coordinates a direction of S with variance v has weight a·v / (1 + a·v).
"""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from afrd.errors import ModelError
from afrd.families.joint import Gaussian

COVERED = 0.5  # share of a place that a defect covers, for its change to count

Pairs = Iterable[tuple[Sequence[Tensor], Sequence[Tensor], Tensor]]
"""The levels of captures, the same with defects, [B, N, C, h, w] each, and where these are, [B, S, S] in [0, 1]."""


class DefectSpace(nn.Module):
    """covariance: [total, total] of the changes; zero before `learn`, and then all directions count alike.

    settings: their `strength` is a, with S scaled to a mean variance of one; `directions` are kept, at most.
    """

    def __init__(self, total: int, settings: Gaussian | None = None) -> None:
        super().__init__()
        self.settings = settings or Gaussian()
        self.register_buffer("covariance", torch.zeros(total, total))

    def learn(self, pairs: Pairs, describe: Callable[[Sequence[Tensor]], Tensor], whitening: Tensor) -> None:
        """describe: from levels to vectors, [B, total, h, w]; whitening: [total, total] of good parts.

        A change counts as 1 / (1 + its mean square in units of good parts), so that gross defects do not decide alone.
        Raises ModelError: pairs, of which none has a place that is covered.
        """
        moment, seen, given = torch.zeros_like(self.covariance, dtype=torch.float64, device="cpu"), 0, False
        for good, bad, cover in pairs:
            given = True
            change = (describe(bad) - describe(good)).movedim(1, -1)
            covered = avg_pool2d(cover[:, None].to(change), cover.shape[-1] // change.shape[2])[:, 0] > COVERED
            change = change[covered]
            weight = 1 / (1 + (change @ whitening.T).square().mean(1, keepdim=True))
            moment += ((change * weight).T @ change).cpu().double()  # in this order: MPS has no double
            seen += len(change)
        if given and not seen:
            raise ModelError(
                "the defects cover no place of the grid: nothing can be learned from them; paint larger ones"
            )
        self.covariance.copy_((moment / max(seen, 1)).float())

    def weigh(self, whitening: Tensor, columns: Tensor) -> Tensor:
        """whitening: [D, D] of the vector's `columns`. Returns [r, D]: offsets times it, squared and summed, are the
        distance; over good parts one on average.
        """
        own = self.covariance.cpu().double()[columns][:, columns]
        if not own.any():
            return whitening / len(whitening) ** 0.5
        changes = whitening @ own @ whitening.T
        variances, directions = torch.linalg.eigh(changes / changes.diagonal().mean())
        kept = self.settings.directions
        variances = self.settings.strength * variances.flip(0)[:kept].clamp(min=0)
        weights = variances / (1 + variances)
        return (weights / weights.sum()).sqrt()[:, None] * (directions.flip(1)[:, :kept].T @ whitening)

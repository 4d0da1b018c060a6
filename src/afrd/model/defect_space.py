"""In which directions defects change a place's vector: those count in the distance, the others are noise.

The Mahalanobis distance weighs all directions alike, by how little good parts move along them. Of a thousand, a stain
or a dent moves some tens. So the covariance S of the changes that defects make is learned, from the same captures with
and without a painted defect, and the distance becomes the likelihood ratio of two Gaussians: good parts, and good parts
plus a defect of covariance a · S. In whitened coordinates a direction of S with variance v has weight a·v / (1 + a·v).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from afrd.errors import ModelError
from afrd.families.joint import Gaussian
from afrd.model.moments import leading
from afrd.model.stacked import vectors_of

COVERED = 0.5  # share of a place that a defect covers, for its change to count
KNOWN = 10  # captures with real defects that count for as much as the shares in which kinds were painted

Pairs = Iterable[tuple[Any, ...]]
"""(good, bad, cover) or (good, bad, cover, kind): captures as `afrd.model.stacked.Looked`, the levels of the same with
defects, where these are, [B, S, S] in [0, 1], and, if all are of one, of which kind."""


class DefectSpace(nn.Module):
    """covariance: [total, total] of the changes; zero before `learn`, and then all directions count alike.

    settings: their `strength` is a, with S scaled to a mean variance of one; `directions` are kept, at most.
    """

    def __init__(self, total: int, settings: Gaussian | None = None) -> None:
        super().__init__()
        self.settings = settings or Gaussian()
        self.register_buffer("covariance", torch.zeros(total, total))
        self._kinds: dict[str, Tensor] = {}
        self._seen: Counter[str] = Counter()

    def learn(self, pairs: Pairs, describe: Callable[[Sequence[Tensor]], Tensor], whitening: Tensor) -> None:
        """describe: from levels to vectors, [B, total, h, w]; whitening: [total, total] of good parts.

        What pairs of one kind change is kept for `prefer`, in memory only.

        A change counts as 1 / (1 + its mean square in units of good parts), so that gross defects do not decide alone.
        Raises ModelError: pairs, of which none has a place that is covered.
        """
        self._kinds, self._seen, given = {}, Counter(), False
        for good, bad, cover, *named in pairs:
            given, kind = True, "".join(named)
            change = (describe(bad) - vectors_of(good, describe)).movedim(1, -1)
            covered = avg_pool2d(cover[:, None].to(change), cover.shape[-1] // change.shape[2])[:, 0] > COVERED
            change = change[covered]
            weight = 1 / (1 + (change @ whitening.T).square().mean(1, keepdim=True))
            moment = ((change * weight).T @ change).cpu().double()  # in this order: MPS has no double
            self._kinds[kind] = self._kinds.get(kind, 0) + moment
            self._seen[kind] += len(change)
        seen = self._seen.total()
        if given and not seen:
            raise ModelError(
                "the defects cover no place of the grid: nothing can be learned from them; paint larger ones"
            )
        if seen:
            self.covariance.copy_((sum(self._kinds.values()) / seen).float())

    def prefer(self, offsets: Sequence[Tensor], whitening: Tensor) -> dict[str, float]:
        """Kinds of painted defects count by how well they explain real ones. Returns the share of each kind.

        offsets: of each capture with a real defect, [M, total], vectors at the defect less the mean of good parts.
        whitening: [total, total] of good parts. Before, pairs of every kind have been learned.

        The shares are the weights of a mixture of Gaussians, found by expectation maximisation, with the painted shares
        as a prior that weighs as much as KNOWN captures: a few defects cannot mislead it far. (Directions from real
        defects themselves were worse than none with fewer than some fifty: docs/log.md.)
        """
        white = whitening.cpu().double()
        unit = {kind: _unit(white @ moment @ white.T) for kind, moment in self._kinds.items() if moment.any()}
        likelihoods = torch.stack([self._explained(offsets, white, covariance) for covariance in unit.values()], 1)
        prior = torch.tensor([self._seen[kind] for kind in unit], dtype=torch.float64)
        prior /= prior.sum()
        shares = prior
        for _ in range(50):
            belongs = (shares.log() + likelihoods).softmax(1)
            shares = (KNOWN * prior + belongs.sum(0)) / (KNOWN + len(offsets))
        inverse = torch.linalg.inv(white)
        mixed = sum(share * covariance for share, covariance in zip(shares, unit.values(), strict=True))
        self.covariance.copy_((inverse @ mixed @ inverse.T).float())
        return dict(zip(unit, shares.tolist(), strict=True))

    def _explained(self, offsets: Sequence[Tensor], whitening: Tensor, covariance: Tensor) -> Tensor:
        """[K], mean over each capture's vectors of how much likelier they are with a defect of this covariance."""
        variances, directions = torch.linalg.eigh(covariance)
        variances = self.settings.strength * variances.clamp(min=0)
        weights = variances / (1 + variances)
        along = [vectors.cpu().double() @ whitening.T @ directions for vectors in offsets]
        return torch.stack([0.5 * (x.square() @ weights - variances.log1p().sum()).mean() for x in along])

    def weigh(self, whitening: Tensor, columns: Tensor) -> Tensor:
        """whitening: [D, D] of the vector's `columns`. Returns [r, D] float32: offsets times it, squared and summed,
        are the distance; over good parts one on average.
        """
        own = self.covariance.cpu().double()[columns][:, columns]
        if not own.any():
            return whitening.float() / len(whitening) ** 0.5
        single = whitening.float()  # in half the time, and 1e-6 of the largest variance is far below any weight
        changes = single @ own.float() @ single.T
        variances, directions = leading(changes / changes.diagonal().mean(), self.settings.directions)
        variances = self.settings.strength * variances.clamp(min=0)
        weights = variances / (1 + variances)
        return (weights / weights.sum()).sqrt()[:, None] * (directions.T @ single)


def _unit(covariance: Tensor) -> Tensor:
    """With a mean variance of one."""
    return covariance / covariance.diagonal().mean()

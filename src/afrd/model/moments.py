"""Mean and covariance of vectors that come in batches, as something that is added and subtracted.

Of each fold of the good captures the moments are kept; the model that has not seen a fold has the sum of all moments
less the fold's: exact, and nothing is read again.
"""

from collections.abc import Iterable, Sequence
from typing import Self

import scipy.linalg
import torch
from torch import Tensor

from afrd.errors import ModelError


class Moments:
    """Of vectors [·, D]; empty at first.

    Number, mean and scatter about the mean, in double precision: no large squares cancel, wherever the vectors lie
    (Chan, Golub and LeVeque 1983).
    """

    def __init__(self, size: int) -> None:
        self.count = 0
        self._mean = torch.zeros(size, dtype=torch.float64)
        self._scatter = torch.zeros(size, size, dtype=torch.float64)

    def add(self, vectors: Tensor) -> Self:
        """vectors: [M, D], on any device. Multiplied in their own precision, about their own mean. Returns itself."""
        if len(vectors):
            origin = vectors.mean(0)
            centred = vectors - origin
            rest = centred.mean(0).cpu().double()  # what rounding the mean to their precision has left
            scatter = (centred.T @ centred).cpu().double() - len(vectors) * rest[:, None] * rest
            self._join(len(vectors), origin.cpu().double() + rest, scatter)
        return self

    def __add__(self, other: "Moments") -> "Moments":
        result = self._copy()
        result._require_size(other)
        result._join(other.count, other._mean, other._scatter)
        return result

    def __sub__(self, part: "Moments") -> "Moments":
        """Of the vectors without those of `part`, which were among them. Raises ModelError: more than there are."""
        self._require_size(part)
        rest = self.count - part.count
        if rest < 0:
            raise ModelError(f"moments of {part.count} vectors taken from those of {self.count}")
        result = Moments(len(self._mean))
        if rest:
            result.count = rest
            result._mean = (self.count * self._mean - part.count * part._mean) / rest
            apart = result._mean - part._mean
            between = rest * part.count / self.count * apart[:, None] * apart
            result._scatter = self._scatter - part._scatter - between
        return result

    def parts(self) -> tuple[int, Tensor, Tensor]:
        """Number, mean [D] and scatter about it [D, D], to be written down."""
        return self.count, self._mean, self._scatter

    @classmethod
    def of_parts(cls, count: int, mean: Tensor, scatter: Tensor) -> Self:
        """From what `parts` gave."""
        result = cls(len(mean))
        result.count, result._mean, result._scatter = count, mean.double(), scatter.double()
        return result

    def mean(self) -> Tensor:
        """[D] float64. Raises ModelError: no vectors."""
        if not self.count:
            raise ModelError("no vectors, so they have no mean")
        return self._mean.clone()

    def covariance(self) -> Tensor:
        """[D, D] float64, unbiased. Raises ModelError: fewer than two vectors."""
        if self.count < 2:
            raise ModelError(f"{self.count} vectors; a covariance takes at least 2")
        return self._scatter / (self.count - 1)

    def _join(self, count: int, mean: Tensor, scatter: Tensor) -> None:
        total = self.count + count
        if not total:
            return
        apart = mean - self._mean
        self._scatter += scatter + self.count * count / total * apart[:, None] * apart
        self._mean += count / total * apart
        self.count = total

    def _copy(self) -> "Moments":
        result = Moments(len(self._mean))
        result.count, result._mean, result._scatter = self.count, self._mean.clone(), self._scatter.clone()
        return result

    def _require_size(self, other: "Moments") -> None:
        if len(other._mean) != len(self._mean):
            raise ModelError(f"moments of vectors of {len(other._mean)} and of {len(self._mean)} numbers")


def moments_of(captures: Iterable[Tensor], folds: Sequence[int] | None = None) -> tuple[list[Moments], int]:
    """Of the vectors of good captures, [B, D, h, w] each, in one pass; memory does not grow with them. And how many.

    folds: the fold of each capture, from 0; moments come one a fold. None: all are one; else B is 1.
    Raises ModelError: a single capture; values that are not finite; captures that are all the same.
    """
    moments, pattern, count, differ = [], None, 0, False
    for vectors in captures:
        each = vectors.movedim(1, -1).flatten(1, 2).cpu()  # [B, places, D]
        moments = moments or [Moments(each.shape[-1]) for _ in range(1 + max(folds or [0]))]
        pattern = each[0] if pattern is None else pattern
        differ = differ or bool((each - pattern).abs().max() > 1e-4 * pattern.abs().max())
        moments[folds[count] if folds else 0].add(each.flatten(0, 1))
        count += len(each)
    if count < 2:
        raise ModelError(f"{count} captures to fit; expected at least 2, and some 20 for good results")
    if not sum(moments[1:], moments[0]).covariance().isfinite().all():
        raise ModelError("the teacher's features are not finite; check its weights")
    if not differ:
        raise ModelError(
            "the good captures show all the same, nothing can be learned from them; check that the files are not "
            "copies of one, nor black or white all over"
        )
    return moments, count


def whitening(covariance: Tensor) -> Tensor:
    """[D, D]: vectors times it, transposed, have a unit covariance."""
    identity = torch.eye(len(covariance), dtype=covariance.dtype, device=covariance.device)
    return torch.linalg.solve_triangular(torch.linalg.cholesky(covariance), identity, upper=False)


def leading(symmetric: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` largest eigenvalues of a matrix [D, D] on the CPU, largest first, and their vectors, [D, ·].

    By LAPACK's syevr, which computes no others: a third of the time of torch's eigh.
    """
    size = len(symmetric)
    values, vectors = scipy.linalg.eigh(symmetric.numpy(), subset_by_index=(max(0, size - count), size - 1))
    return torch.from_numpy(values).flip(0), torch.from_numpy(vectors).flip(1)

"""Mean and covariance of the vectors of good captures, in one pass; memory does not grow with them."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from afrd.errors import ModelError


class Moments(NamedTuple):
    """mean: [D], covariance: [D, D], float64; samples: vectors that they are of, captures: how many these are from."""

    mean: Tensor
    covariance: Tensor
    samples: int
    captures: int


def mean_and_covariance(captures: Iterable[Tensor]) -> Moments:
    """captures: vectors of good captures, [B, D, h, w] each.

    Raises ModelError: a single capture; values that are not finite; captures that are all the same.
    """
    moment = first = origin = pattern = None
    seen, count, differ = 0, 0, False
    for vectors in captures:
        each = vectors.movedim(1, -1).flatten(1, 2).cpu()  # [B, places, D]
        pattern = each[0] if pattern is None else pattern
        differ = differ or bool((each - pattern).abs().max() > 1e-4 * pattern.abs().max())
        flat = each.flatten(0, 1)
        if origin is None:
            origin = flat.mean(0)  # near the mean, so that nothing cancels
            moment = torch.zeros(len(origin), len(origin), dtype=torch.float64)
            first = torch.zeros(len(origin), dtype=torch.float64)
        flat = flat - origin
        moment += (flat.T @ flat).double()
        first += flat.sum(0, dtype=torch.float64)
        seen, count = seen + len(flat), count + len(each)
    if count < 2:
        raise ModelError(f"{count} captures to fit; expected at least 2, and some 20 for good results")
    first /= seen
    covariance = (moment / seen - first[:, None] * first) * (seen / (seen - 1))
    if not covariance.isfinite().all():
        raise ModelError("the teacher's features are not finite; check its weights")
    if not differ:
        raise ModelError(
            "the good captures show all the same, nothing can be learned from them; check that the files are not "
            "copies of one, nor black or white all over"
        )
    return Moments(origin.double() + first, covariance, seen, count)

"""Of each light what all the others do not explain: the conditional residual of a Gaussian, and so its evidence."""

import torch
from torch import Tensor


def residuals(covariance: Tensor, whitening: Tensor, channels: int) -> tuple[Tensor, Tensor]:
    """covariance: [N' · D, N' · D], of the lights present, of D = channels each. whitening: of it.

    Returns [N' · D, N' · D], whose rows of light k, times a vector, are what the other lights do not explain of k,
    and the largest mean square of these rows on good parts, []. The unit is the mean covariance of a light, one for
    all: in a unit of its own, a light that the others nearly determine, as a sum of other lights, would be named
    for the smallest contradiction.
    """
    precision = whitening.T @ whitening
    blocks = [slice(i, i + channels) for i in range(0, len(covariance), channels)]
    unit = torch.linalg.cholesky(sum(covariance[own, own] for own in blocks) / len(blocks))
    rows, baseline = [], []
    for own in blocks:
        # of a Gaussian with precision P the conditional of k has residual P_kk⁻¹ P_k x and covariance P_kk⁻¹
        conditional = torch.linalg.inv(precision[own, own])
        rows.append(torch.linalg.solve_triangular(unit, conditional @ precision[own], upper=False))
        baseline.append(torch.cholesky_solve(conditional, unit).diagonal().mean())
    return torch.cat(rows), torch.stack(baseline).max()


def shares_of(own: Tensor, baseline: Tensor, weights: Tensor) -> Tensor:
    """own: [B, N', D], residuals of the lights, of weights [N']; baseline: [], their mean square on good parts.

    [B, N']: each light's share in what is above the usual; sums to 1.
    """
    excess = (own.square().mean(-1) - baseline).clamp(min=1e-6) * weights
    return excess / excess.sum(1, keepdim=True)

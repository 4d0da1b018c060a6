"""How strange a place of a good part usually is: at an edge or a highlight more than on a plain face.

A Gaussian takes every place for as predictable as any other; edges, highlights and chips are not, and their distances
hide a faint defect of a plain face. So the log distance of good parts is regressed on what is where: the leading
principal components, which carry the content and hardly a defect. Ridge regression on random features (Rahimi and Recht
2007), which has a closed form and, with its fixed seed, one result.
"""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from afrd.model.moments import leading

COMPONENTS = 128  # principal components that the expectation is made from, at most
FEATURES = 512  # random features of them
RIDGE = 1e-3  # share of the features' mean energy that is added to each,
PRIOR = 50  # and as many places' worth of it: of few places only the mean log distance is learned
REACH = 3.0  # standard deviations; beyond, a component counts as usual, so that a gross defect does not explain itself


class Expectation(nn.Module):
    """Regression from a vector [total] to a number. First `orient`, then `add` all samples, then `solve`."""

    def __init__(self, total: int) -> None:
        super().__init__()
        q = min(COMPONENTS, total)
        generator = torch.Generator().manual_seed(0)
        self.register_buffer("components", torch.zeros(q, total))
        self.register_buffer("hidden", torch.randn(FEATURES, q, generator=generator) / q**0.5)
        self.register_buffer("bias", 2 * torch.rand(FEATURES, generator=generator) - 1)
        self.register_buffer("coefficients", torch.zeros(FEATURES + q + 1))
        self._moment = self._product = None
        self._seen = 0

    def twin(self) -> "Expectation":
        """One that shares the components and shall learn coefficients of its own."""
        other = copy.copy(self)
        other._buffers = dict(self._buffers)
        with torch.inference_mode(False):  # an ordinary tensor, whoever fits
            other._buffers["coefficients"] = torch.zeros_like(self.coefficients)
        return other

    def orient(self, covariance: Tensor, unit: Tensor) -> None:
        """covariance: [total, total] of the vectors; unit: [total], the variances in which they are compared."""
        scale = unit.rsqrt()
        values, vectors = leading(covariance * scale[:, None] * scale, len(self.components))
        largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
        vectors = vectors * largest.sign() * scale[:, None]  # the sign is free; so it is one
        self.components.copy_((vectors / values.sqrt()).T)
        self.reset()

    def given(self, whitening: Tensor, whole: Tensor, present: Tensor, missing: Sequence[int] | Tensor) -> Tensor:
        """[q, len(present)] float64: the components as expected from the columns present, where others are missing.

        whitening: of those present; whole: the covariance of all columns; both float64.
        """
        components = self.components.cpu().double()
        own = components[:, present]
        if not len(missing):
            return own
        return own + components[:, missing] @ (whitening @ whole[present][:, missing]).T @ whitening

    def reset(self) -> None:
        """Before captures are added."""
        size = len(self.coefficients)
        self._moment = torch.zeros(size, size, dtype=torch.float64)
        self._product = torch.zeros(size, dtype=torch.float64)
        self._seen = 0

    def add(self, principal: Tensor, distances: Tensor) -> None:
        """principal: [B, q, h, w], `components` times the offsets from good parts' mean; distances: [B, 1, h, w]."""
        known = self._known(principal)
        features = torch.cat([self._hidden(known), known, torch.ones_like(known[:, :1])], 1)
        features = features.movedim(1, -1).flatten(0, -2)
        self._moment += (features.T @ features).cpu().double()
        self._product += (features.T @ distances.flatten()).cpu().double()
        self._seen += len(features)

    def solve(self) -> None:
        ridge = (RIDGE + PRIOR / self._seen) * self._moment.diagonal().mean().expand(len(self._moment)).clone()
        ridge[-1] = 0  # of the mean itself
        self.coefficients.copy_(torch.linalg.solve(self._moment + ridge.diag(), self._product))
        self._moment = self._product = None

    def forward(self, principal: Tensor) -> Tensor:
        """principal: [B, q, h, w], `components` times the offsets. Returns good parts' log distance, [B, 1, h, w]."""
        known = self._known(principal)
        of_hidden, of_known, usual = self.coefficients.split([FEATURES, known.shape[1], 1])
        expected = conv2d(known, of_known[None, :, None, None], usual)
        return expected + conv2d(self._hidden(known), of_hidden[None, :, None, None])

    @staticmethod
    def _known(principal: Tensor) -> Tensor:
        return principal.clamp(min=-REACH).clamp(max=REACH)  # in one, ONNX export fails

    def _hidden(self, known: Tensor) -> Tensor:
        return conv2d(known, self.hidden[:, :, None, None], self.bias).relu_()

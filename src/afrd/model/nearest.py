"""Nearest patches of the averaged lights: for rigs whose lights all show the same picture, as exposures do.

Where lights come from one side, what is left of their differences is noise and misregistration, and a model of all
lights together lives on it. So the darker half of them and the brighter half are averaged each, which gives two better
pictures, and these are read instead of N, at a finer scale; their features are averaged. Two looks at them make the
map: how far a place is from the nearest of good parts (PatchCore, Roth et al. 2022, with a bank
drawn at random), which finds what is small, and how far from the Gaussian of all (one for all places), of which the
most unusual share counts, which finds what is large and vague. Both are put in units of good parts' largest; the score
is the larger one.
"""

from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, interpolate, normalize, softplus

from afrd.errors import ModelError
from afrd.families.nearest import Patches
from afrd.model.anomaly_map import AnomalyMap, score
from afrd.model.multi_light import MultiLightModel, Prediction
from afrd.model.teacher import Teacher

STRIDE = 8  # of the places
SHRINKAGE = 0.01  # share of the mean variance that is added to every variance
WIDE_SHARE = 0.03  # of the places: the most unusual ones, whose mean is the Gaussian's say
SMALL = 1e-6
SPREAD_PARTS = 4  # good parts from which a spread is learned


class NearestPatches(MultiLightModel):
    """See the module. Without `fit` and `standardise`, or a loaded state, it cannot judge.

    halves: [2, N], shares of the lights in the two averages, rows sum to 1. bank: [K, D], unit vectors.
    mean: [D], whitening: [D, D], of good places. middle, spread: [2], of the logarithm of what good parts say.
    heard: [2], whether the nearest and the Gaussian make the score; both, unless known defects say otherwise.
    Arguments and errors as of MultiLightModel.
    """

    def __init__(
        self,
        teacher: str | Teacher = "efficientnet_lite0",
        teacher_weights: str | Path | None = None,
        lights: int = 6,
        image_size: int = 384,
        top_share: float = 0.0,
        settings: Patches | None = None,
    ) -> None:
        super().__init__(teacher, teacher_weights, lights, image_size, top_share)
        self.settings = settings or Patches()
        self.anomaly_map = AnomalyMap(image_size)
        self.channels = sum(level.channels for level in self.teacher.levels)
        self.register_buffer("halves", torch.full((2, lights), 1 / lights))
        self.register_buffer("bank", torch.zeros(self.settings.bank, self.channels))
        self.register_buffer("mean", torch.zeros(self.channels))
        self.register_buffer("whitening", torch.eye(self.channels))
        self.register_buffer("middle", torch.zeros(2))
        self.register_buffer("spread", torch.ones(2))
        self.register_buffer("heard", torch.ones(2, dtype=torch.bool))

    def see(self, prepared: Tensor, lights: Iterable[int] | None = None) -> list[Tensor]:
        """prepared: [B, N, C, S, S]. The levels of the two averages of these lights, [B, 2, C, h, w] each."""
        present = list(range(self.lights)) if lights is None else sorted(lights)
        if not present or not 0 <= present[0] <= present[-1] < self.lights:
            raise ModelError(f"lights {present}: expected some of 0 to {self.lights - 1}")
        shares = self.halves[:, present]
        total = shares.sum(1, keepdim=True)
        shares = torch.where(total > 0, shares / total.clamp(min=SMALL), 1 / len(present))
        return super().see(torch.einsum("gn,bnchw->bgchw", shares, prepared[:, present]))

    def order(self, brightness: Tensor) -> None:
        """brightness: [N], the mean of each light over good parts: the darker half is averaged, and the brighter."""
        darker = brightness.argsort()[: max(1, self.lights // 2)]
        self.halves.zero_()
        self.halves[0, darker] = 1
        self.halves[1] = 1 - self.halves[0] if self.lights > 1 else 1
        self.halves /= self.halves.sum(1, keepdim=True)

    def fit(self, levels: Iterable[Sequence[Tensor]], captures: int, seed: int = 0) -> None:
        """levels: of `captures` good captures. Raises ModelError: a single one; features that are not finite."""
        if captures < 2:
            raise ModelError(f"{captures} captures to fit; expected at least 2, and some 20 for good results")
        generator = torch.Generator().manual_seed(seed)
        kept = -(-self.settings.places // captures)  # of each capture, so that memory does not grow with them
        places, grid = [], self.image_size // STRIDE
        for each in levels:
            vectors = self.describe(each)[0].flatten(1).T.cpu()
            if self.inside is not None:
                vectors = vectors[self.within(torch.ones(grid, grid)).flatten() > 0]
            places.append(vectors[torch.randperm(len(vectors), generator=generator)[:kept]])
        places = torch.cat(places)
        if not places.isfinite().all():
            raise ModelError("the teacher's features are not finite; check its weights")
        covariance = torch.cov(places.T.double())
        covariance += SHRINKAGE * covariance.diagonal().mean().clamp(min=SMALL) * torch.eye(len(covariance))
        self.mean.copy_(places.mean(0))
        self.whitening.copy_(torch.linalg.inv(torch.linalg.cholesky(covariance)).float())
        chosen = torch.randint(len(places), (len(self.bank),), generator=generator)
        if len(places) >= len(self.bank):
            chosen = torch.randperm(len(places), generator=generator)[: len(self.bank)]
        self.bank.copy_(normalize(places[chosen], dim=1))

    def standardise(self, said: Tensor, groups: Sequence[Hashable]) -> Tensor:
        """The unit of both looks, from what they `say` of good captures that were not fitted, [M, 2].

        groups: the part that each shows. Returns the middle and spread of all other parts for each capture, [M, 2, 2]:
        in these a capture's own score is one of a part that the unit does not know. A spread takes four parts, a middle
        two; with fewer they are 1 and 0.
        """
        parts = len(set(groups))

        def unit(some: Tensor) -> Tensor:
            middle = some.mean(0) if parts > 1 else torch.zeros_like(self.middle)
            spread = some.std(0).clamp(min=0.02) if parts >= SPREAD_PARTS else torch.ones_like(self.spread)
            return torch.stack([middle, spread])

        self.middle.copy_(unit(said)[0])
        self.spread.copy_(unit(said)[1])
        return torch.stack([unit(said[[other != group for other in groups]]) for group in groups])

    def describe(self, levels: Sequence[Tensor]) -> Tensor:
        """levels: of the two averages, [B, 2, C, h, w] each. Returns one vector a place, [B, D, S / 8, S / 8]."""
        grid, parts = self.image_size // STRIDE, []
        for level, x in zip(self.teacher.levels, levels, strict=True):
            x = avg_pool2d(x.mean(1), 3, 1, 1, count_include_pad=False)
            if level.stride < STRIDE:
                x = avg_pool2d(x, STRIDE // level.stride)
            elif level.stride > STRIDE:
                x = interpolate(x, (grid, grid), mode="bilinear", align_corners=False)
            parts.append(x)
        return torch.cat(parts, 1)

    def forward(self, images: Tensor, lights: Iterable[int] | None = None) -> Prediction:
        """images: as for `extract`. lights: average these only; None: all."""
        return self.judge(self.extract(images, lights))

    def judge(self, levels: Sequence[Tensor]) -> Prediction:
        """levels: what `extract` gives. light_weights: [B, 1, N], all alike: no light shows more than another."""
        near, wide = self._distances(levels)
        anomaly = sum((x.log() - m) / s for x, m, s in zip((near, wide), self.middle, self.spread, strict=True)) / 2
        answer = self.score(torch.stack(self._say(near, wide), 1))
        weights = torch.full_like(answer, 1 / self.lights)[:, None, None].expand(-1, 1, self.lights)
        return Prediction(softplus(anomaly[:, 0]), answer, weights.contiguous())

    def both_say(self, levels: Sequence[Tensor]) -> Tensor:
        """[B, 2], what the part as a whole is by each look, in units of good parts."""
        return (self.say(levels) - self.middle) / self.spread

    def say(self, levels: Sequence[Tensor]) -> Tensor:
        """[B, 2], the logarithm of what the part as a whole is by each look."""
        return torch.stack(self._say(*self._distances(levels)), 1)

    def score(self, said: Tensor, unit: Tensor | None = None) -> Tensor:
        """said: [B, 2], what the looks `say`. unit: [B, 2, 2], see `standardise`; None: the model's. [B]."""
        middle, spread = (self.middle, self.spread) if unit is None else unit.unbind(1)
        return softplus(torch.where(self.heard, (said - middle) / spread, -torch.inf).amax(1))

    def _distances(self, levels: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """[B, 1, S, S] each: from the nearest of the bank, and from the Gaussian; smoothed, above 0."""
        vectors = self.describe(levels)
        likeness = conv2d(normalize(vectors, dim=1), self.bank[:, :, None, None]).amax(1, keepdim=True)
        near = (2 - 2 * likeness).clamp(min=SMALL).sqrt()
        whitened = conv2d(vectors - self.mean[:, None, None], self.whitening[:, :, None, None])
        return tuple(self._enlarged(x) for x in (near, whitened.square().mean(1, keepdim=True)))

    def _enlarged(self, distance: Tensor) -> Tensor:
        size = (self.image_size, self.image_size)
        enlarged = interpolate(distance, size, mode="bilinear", align_corners=False)
        return self.within(self.anomaly_map.smooth(enlarged)).clamp(min=SMALL)

    def _say(self, near: Tensor, wide: Tensor) -> tuple[Tensor, Tensor]:
        """[B] each: the logarithm of what the part as a whole is by each look."""
        return score(near[:, 0], self.top_share).log(), score(wide[:, 0], WIDE_SHARE).log()

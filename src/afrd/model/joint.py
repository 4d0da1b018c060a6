"""Joint Gaussian of all lights: what every light shows at a place, taken together, is compared with good parts.

The teacher's levels of all N lights are brought to one grid and stacked into one vector a place. Over all places of
all good captures these vectors have a mean and a covariance; the anomaly map is the Mahalanobis distance to them.
Nothing is averaged over lights, so what one light alone shows stays; the covariance knows what the lights have in
common and how each follows from the others, so a defect shows as soon as one light contradicts the rest. It is fitted
in one pass, without gradients.

PaDiM (Defard et al. 2021) has a Gaussian for every position of one image; this is one for all positions, since parts
lie in any pose, which also leaves some 1000 times as many samples for the covariance between lights.

Because the vector is Gaussian, leaving out a light is exact: the covariance without its rows and columns. And the
evidence of a light is what the others do not explain of it: its conditional residual given all other lights.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, interpolate

from afrd.errors import ModelError
from afrd.model.anomaly_map import AnomalyMap, score
from afrd.model.fusion import Fusion
from afrd.model.multi_light import MultiLightModel, Prediction
from afrd.model.teacher import Level, Teacher

STRIDE = 8  # of the grid
SHRINKAGE = 0.01  # share of the mean variance that is added to every variance
MAX_CHANNELS = 2048  # of all lights together; wider teachers are projected down to it


class JointGaussian(MultiLightModel):
    """See the module. Without `fit`, or a loaded state, it cannot judge. Arguments and errors as of MultiLightModel.

    channels: D of a light's vector. mean: [N · D], covariance: [N · D, N · D], lights one after the other.
    """

    def __init__(
        self,
        teacher: str | Teacher = "efficientnet_lite0",
        teacher_weights: str | Path | None = None,
        lights: int = 6,
        image_size: int = 256,
        top_share: float = 0.0,
    ) -> None:
        super().__init__(teacher, teacher_weights, lights, image_size, top_share)
        self.fusion = Fusion(lights)  # reads every light, makes nothing of them
        self.anomaly_map = AnomalyMap(image_size)
        for i, projection in enumerate(_projections(self.teacher.levels, MAX_CHANNELS // lights)):
            self.register_buffer(f"projection{i}", projection)  # None takes no room in the state
        self.widths = [level.channels if p is None else len(p) for p, level in self._projected()]
        self.channels = sum(self.widths)
        total = lights * self.channels
        self.register_buffer("mean", torch.zeros(total))
        self.register_buffer("covariance", torch.zeros(total, total))
        self.register_buffer("samples", torch.zeros((), dtype=torch.int64))
        self._prepared: dict[tuple[int, ...], tuple[Tensor, Tensor, Tensor, Tensor]] = {}
        self.register_load_state_dict_post_hook(lambda module, _: module._refresh())
        self._refresh()

    def fit(self, captures: Iterable[Sequence[Tensor]]) -> None:
        """captures: the levels of good captures, [B, N, C, h, w] each, read once. Memory does not grow with them.

        Raises ModelError: a single capture; values that are not finite.
        """
        total, seen = len(self.mean), 0
        moment, first = torch.zeros(total, total, dtype=torch.float64), torch.zeros(total, dtype=torch.float64)
        origin, count = None, 0
        for levels in captures:
            vectors = self.describe(levels).movedim(1, -1).flatten(0, -2).cpu()
            origin = vectors.mean(0) if origin is None else origin  # near the mean, so that nothing cancels
            vectors = vectors - origin
            moment += (vectors.T @ vectors).double()
            first += vectors.sum(0, dtype=torch.float64)
            seen, count = seen + len(vectors), count + len(levels[0])
        if count < 2:
            raise ModelError(f"{count} captures to fit; expected at least 2, and some 20 for good results")
        first /= seen
        mean = origin.double() + first
        covariance = (moment / seen - first[:, None] * first) * (seen / (seen - 1))
        if not covariance.isfinite().all():
            raise ModelError("the teacher's features are not finite; check its weights")
        # shrunk in units in which every level has the same energy, so that none drowns in what is added
        unit = self._level_energy(covariance.diagonal() + mean.square())
        shrunk = covariance + SHRINKAGE * (covariance.diagonal() / unit).mean() * unit.diag()
        device = self.mean.device
        self.mean.copy_(mean.float().to(device))
        self.covariance.copy_(shrunk.float().to(device))
        self.samples.fill_(seen)
        self._refresh()

    def _refresh(self) -> None:
        """After mean and covariance have changed."""
        self._prepared.clear()
        self.use_lights(range(self.lights))

    def use_lights(self, lights: Iterable[int]) -> None:
        """Judge by these lights only; what the others show is not looked at.

        Raises ModelError: none, or one that there is not.
        """
        present = tuple(sorted(set(lights)))
        if not present or not 0 <= present[0] <= present[-1] < self.lights:
            raise ModelError(f"lights {list(present)}: expected some of 0 to {self.lights - 1}")
        if present == getattr(self, "present", None) and present in self._prepared:
            return
        self.present = present
        if present not in self._prepared:
            self._prepared[present] = self._prepare_lights(present)
        for name, value in zip(("offset", "whitening", "evidence", "usual"), self._prepared[present], strict=True):
            self.register_buffer(name, value.to(self.mean.device), persistent=False)

    def _prepare_lights(self, present: Sequence[int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        index = torch.cat([torch.arange(self.channels) + k * self.channels for k in present])
        covariance = self.covariance.cpu().double()[index][:, index]
        if not bool(self.samples):  # not fitted yet
            covariance = torch.eye(len(index), dtype=torch.float64)
        whitening = torch.linalg.inv(torch.linalg.cholesky(covariance))
        evidence, usual = self._residuals(covariance)
        return self.mean.cpu()[index], whitening.float(), evidence.float(), usual.float()

    def describe(self, levels: Sequence[Tensor]) -> Tensor:
        """levels: of all lights, [B, N, C, h, w] each. Returns one vector a place, [B, N · D, S / 8, S / 8]."""
        grid, batch = self.image_size // STRIDE, levels[0].shape[0]
        parts = []
        for (projection, level), x in zip(self._projected(), levels, strict=True):
            x = x.flatten(0, 1)
            if projection is not None:
                x = conv2d(x, projection.to(x)[:, :, None, None])
            x = avg_pool2d(x, 3, 1, 1, count_include_pad=False)
            if level.stride < STRIDE:
                x = avg_pool2d(x, STRIDE // level.stride)
            elif level.stride > STRIDE:
                x = interpolate(x, (grid, grid), mode="bilinear", align_corners=False)
            parts.append(x)
        return torch.cat(parts, 1).reshape(batch, -1, grid, grid)

    def judge(self, levels: Sequence[Tensor]) -> Prediction:
        """levels: of all lights, those that are not used too. light_weights: [B, 1, N], each light's evidence at the
        highest point of the map, as a share; 0 for lights that are not used."""
        if len(self.present) < self.lights:
            levels = [level[:, list(self.present)] for level in levels]
        vectors = self.describe(levels) - self.offset[:, None, None]
        squares = conv2d(vectors, self.whitening[:, :, None, None]).square().mean(1, keepdim=True)
        # 0.35 where a good part is as usual; grows slowly, so that a map keeps its contrast
        surprise = 0.5 * torch.log1p(squares.square())
        size = (self.image_size, self.image_size)
        enlarged = interpolate(surprise, size, mode="bilinear", align_corners=False)
        anomaly_map = self.anomaly_map.smooth(enlarged).squeeze(1).clamp(min=0)
        weights = self._evidence(vectors, anomaly_map)
        return Prediction(anomaly_map, score(anomaly_map, self.top_share), weights)

    def _evidence(self, vectors: Tensor, anomaly_map: Tensor) -> Tensor:
        grid, size = vectors.shape[-1], self.image_size
        peak = anomaly_map.flatten(1).argmax(1)
        place = peak // size // STRIDE * grid + peak % size // STRIDE
        there = vectors.flatten(2).gather(2, place[:, None, None].expand(-1, vectors.shape[1], 1))[..., 0]
        own = (there @ self.evidence.T).unflatten(1, (len(self.present), -1)).square().mean(-1)
        excess = (own - self.usual).clamp(min=1e-6)
        share = excess / excess.sum(1, keepdim=True)
        if len(self.present) < self.lights:
            share = torch.stack(
                [
                    share[:, self.present.index(k)] if k in self.present else torch.zeros_like(share[:, 0])
                    for k in range(self.lights)
                ],
                1,
            )
        return share[:, None]

    def _residuals(self, covariance: Tensor) -> tuple[Tensor, Tensor]:
        """covariance: [N' · D, N' · D], of the lights present.

        Returns [N' · D, N' · D], whose rows of light k, times a vector, are what the other lights do not explain of k,
        and the largest mean square of these rows on good parts, []. The unit is the mean covariance of a light, one for
        all: in a unit of its own, a light that the others nearly determine, as a sum of other lights, would be named
        for the smallest contradiction.
        """
        precision = torch.linalg.inv(covariance)
        blocks = [slice(i, i + self.channels) for i in range(0, len(covariance), self.channels)]
        unit = torch.linalg.cholesky(sum(covariance[own, own] for own in blocks) / len(blocks))
        rows, usual = [], []
        for own in blocks:
            # of a Gaussian with precision P the conditional of k has residual P_kk⁻¹ P_k x and covariance P_kk⁻¹
            conditional = torch.linalg.inv(precision[own, own])
            rows.append(torch.linalg.solve_triangular(unit, conditional @ precision[own], upper=False))
            usual.append(torch.cholesky_solve(conditional, unit).diagonal().mean())
        return torch.cat(rows), torch.stack(usual).max()

    def _projected(self) -> list[tuple[Tensor | None, Level]]:
        return [(getattr(self, f"projection{i}"), level) for i, level in enumerate(self.teacher.levels)]

    def _level_energy(self, energy: Tensor) -> Tensor:
        """Mean square of each level over its channels and all lights, times their number, at each channel. [N · D]"""
        levels = energy.view(self.lights, self.channels).split(self.widths, 1)
        unit = torch.cat([level.mean().expand(width) * width for level, width in zip(levels, self.widths, strict=True)])
        return unit.repeat(self.lights)


def _projections(levels: Sequence[Level], room: int) -> list[Tensor | None]:
    """[K, C] with orthonormal rows for each level, K in proportion to C; None where all channels have room.

    Drawn from a fixed seed: directions of little variance, which the Mahalanobis distance lives on, stay in as they
    would not with principal components.
    """
    total = sum(level.channels for level in levels)
    if total <= room:
        return [None] * len(levels)
    generator = torch.Generator().manual_seed(0)
    return [
        torch.linalg.qr(torch.randn(level.channels, level.channels * room // total, generator=generator))[0].T
        for level in levels
    ]

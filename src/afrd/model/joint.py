"""Joint Gaussian of all lights: what every light shows at a place, taken together, is compared with good parts.

The teacher's levels of all N lights are brought to one grid and stacked into one vector a place. Over all places of
all good captures these vectors have a mean and a covariance; the anomaly map is the Mahalanobis distance to them.
Nothing is averaged over lights, so what one light alone shows stays; the covariance knows what the lights have in
common and how each follows from the others, so a defect shows as soon as one light contradicts the rest. Of all
directions those count in which defects change a vector (`afrd.model.defect_space`), and from the distance is taken what
good parts have at such places (`afrd.model.expectation`). Two passes fit it, without gradients.

What noise, blur, compression, drift and small shifts change in a vector is no defect: a share of the covariance of such
changes, from disturbed copies of good captures, is added to that of good parts, the mirror of the defects. Mean and
covariance are of good captures and their slightly blurred copies.

PaDiM (Defard et al. 2021) has a Gaussian for every position; this is one for all, since parts lie in any pose, which
also leaves some 1000 times as many samples for the covariance between lights.

Because the vector is Gaussian, leaving out a light is exact: the covariance without its rows and columns. And the
evidence of a light is what the others do not explain of it: its conditional residual given all other lights.
"""

import copy
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import conv2d, interpolate

from afrd.errors import ModelError
from afrd.families.joint import Gaussian
from afrd.model.anomaly_map import score
from afrd.model.defect_space import DefectSpace, Pairs
from afrd.model.evidence import residuals, shares_of
from afrd.model.expectation import Expectation
from afrd.model.moments import Moments, moments_of, whitening
from afrd.model.multi_light import Prediction
from afrd.model.stacked import Looked, StackedLights
from afrd.model.teacher import Teacher

BASELINE = 0.35  # of the map where a place is as good parts are there; so that less than usual is not cut off
LEAST = 1e-6  # of the map where it was looked at; 0 stands for where it was not
HIGHEST = 6.0  # of the map: a distance that no picture of a part has, and that a 16-bit map can hold


class _Prepared(NamedTuple):
    """What judging by N' of the lights takes.

    offset: [N' · D]; distance: [r, N' · D]; principal: [q, N' · D]. And, where evidence is asked for, evidence:
    [N' · D, N' · D]; baseline: [].
    """

    offset: Tensor
    distance: Tensor
    principal: Tensor
    evidence: Tensor | None = None
    baseline: Tensor | None = None


class JointGaussian(StackedLights):
    """See the module. Without `fit`, or a loaded state, it cannot judge. Arguments and errors as of StackedLights.

    mean: [N · D], covariance: [N · D, N · D], lights one after the other.
    disturbed: [N · D, N · D] float64, mean product of what disturbances change in a vector; not part of the state.
    """

    highest = HIGHEST

    def __init__(
        self,
        teacher: str | Teacher = "efficientnet_lite0",
        teacher_weights: str | Path | None = None,
        lights: int = 6,
        image_size: int = 256,
        top_share: float = 0.0,
        settings: Gaussian | None = None,
    ) -> None:
        super().__init__(teacher, teacher_weights, lights, image_size, top_share, settings or Gaussian())
        total = lights * self.channels
        self.register_buffer("mean", torch.zeros(total))
        self.register_buffer("covariance", torch.zeros(total, total))
        self.register_buffer("samples", torch.zeros((), dtype=torch.int64))
        self.defects = DefectSpace(total, self.settings)
        self.expectation = Expectation(total)
        self.weights = (1.0,) * lights
        self.disturbed = torch.zeros(total, total, dtype=torch.float64)
        self._parts: dict[tuple[bool, *tuple[int, ...]], _Prepared] = {}
        self.register_load_state_dict_post_hook(lambda module, _: module._refresh())
        self._refresh()

    def fit(
        self,
        read: Callable[[], Iterable[Sequence[Tensor]]],
        defects: Pairs = (),
        disturbed: Iterable[tuple[Looked, Sequence[Tensor]]] = (),
        again: Callable[[], Iterable[Tensor]] | None = None,
        blurred: Iterable[Sequence[Tensor]] = (),
        folds: Sequence[int] | None = None,
    ) -> list[Moments]:
        """read: gives the levels of good captures, [B, N, C, h, w] each; called twice. Memory does not grow with them.
        again: gives their vectors, as `looked_at` does, instead of the second call.
        blurred: their levels a little out of focus, of which mean and covariance are, too.
        folds: the fold of each capture, from 0. Returns the moments of each fold's vectors; None: of all.

        defects: good captures with and without defects; without any, all directions count alike.
        disturbed: good captures, as they are and as a disturbed station sees them; changes between them count less.

        Raises ModelError: a single capture; values not finite; captures that are all the same; fewer the second time.
        """
        moments, captures = moments_of((self.looked_at(self.describe(levels)) for levels in read()), folds)
        for number, levels in enumerate(blurred):
            self.add_to(moments[folds[number] if folds else 0], self.describe(levels))
        self.disturbed = self.change_covariance(disturbed)
        self.expectation.orient(*self._take(sum(moments[1:], moments[0])))
        self.defects.learn(defects, self.describe, whitening(self.covariance.cpu().double()).float().to(self.mean))
        self._refresh()
        seen = self.learn_expectation(
            again() if again else (self.looked_at(self.describe(levels)) for levels in read())
        )
        if seen != captures:
            raise ModelError(f"{captures} captures, then {seen}; expected the same ones twice: pass a function")
        return moments

    def learn_expectation(self, vectors: Iterable[Tensor]) -> int:
        """What is usual at which places, once mean, covariance and defects are known.

        vectors: of good captures, [B, N · D, places, 1], or of some of their places. Returns how many captures.
        """
        self.expectation.reset()
        known, columns, captures = self._prepared(self._trusted()), self.columns_of(self._trusted()), 0
        for each in vectors:
            offsets = each[:, columns] - known.offset[:, None, None]
            principal = conv2d(offsets, known.principal[:, :, None, None])
            self.expectation.add(principal, self._log_distance(offsets, known.distance))
            captures += len(each)
        if captures:
            self.expectation.solve()
        return captures

    def know(self, offsets: Sequence[Tensor], read: Callable[[], Iterable[Sequence[Tensor]]]) -> dict[str, float]:
        """After `fit`: kinds of painted defects count by how well they explain real ones, see `DefectSpace.prefer`.

        offsets: of each capture with a defect, [M, N · D], vectors at it less the mean of good parts. read: as for
        `fit`, called once. Returns the share of each kind.
        """
        shares = self.defects.prefer(offsets, whitening(self.covariance.cpu().double()))
        self._refresh()
        self.learn_expectation(self.looked_at(self.describe(levels)) for levels in read())
        return shares

    def of_others(self, moments: Moments, vectors: Iterable[Tensor]) -> "JointGaussian":
        """After `fit`: the same model of other good parts, for cross-fitting. Shares everything that it does not learn.

        moments: of their vectors. vectors: of as many of them as shall say what is expected, as `looked_at` gives them.
        What was learned of defects and disturbances stays, and the principal components do.
        """
        other = copy.copy(self)
        other._buffers, other._modules, other._parts = dict(self._buffers), dict(self._modules), {}
        other.expectation = self.expectation.twin()
        with torch.inference_mode(False):  # so that they are ordinary tensors, whoever fits
            for name in ("mean", "covariance", "samples"):
                other._buffers[name] = torch.zeros_like(self._buffers[name])
        other._take(moments)
        other._refresh()
        other.learn_expectation(vectors)
        return other

    def add_to(self, moments: Moments, vectors: Tensor) -> None:
        """vectors: [1, N · D, h, w], of one capture."""
        moments.add(self.looked_at(vectors)[0].flatten(1).T)

    def grow(self, moments: Moments, disturbed: Tensor, vectors: Iterable[Tensor]) -> None:
        """Learn good parts anew from the moments of all their vectors; what was learned of defects stays.

        disturbed: what `disturbed` was after the fit. vectors: [B, N · D, h, w] of the same captures.
        """
        self.disturbed = disturbed
        self.expectation.orient(*self._take(moments))
        self._refresh()
        self.learn_expectation(self.looked_at(each) for each in vectors)

    def _take(self, moments: Moments) -> tuple[Tensor, Tensor]:
        """Of good parts' vectors. Returns the covariance as it is used, and the unit in which levels are compared."""
        mean = moments.mean()
        covariance = moments.covariance() + self.settings.disturbance * self.disturbed
        # shrunk in units in which every level has the same energy, so that none drowns in what is added
        unit = self._level_energy(covariance.diagonal() + mean.square()).clamp(min=1e-12)
        shrunk = covariance + self.settings.shrinkage * (covariance.diagonal() / unit).mean() * unit.diag()
        self.mean.copy_(mean)
        self.covariance.copy_(shrunk)
        self.samples.fill_(moments.count)
        return shrunk, unit

    def trust(self, weights: Sequence[float]) -> bool:
        """A light of weight w < 1 counts as if its vector had (1 / w - 1) times its own scatter added as noise."""
        self.weights = tuple(weights)
        self._refresh()
        return True

    def _trusted(self) -> list[int]:
        return [k for k, weight in enumerate(self.weights) if weight > 0]

    def _refresh(self) -> None:
        """After mean, covariance or weights have changed."""
        self._parts.clear()
        for name, value in self._prepare_lights(self._trusted())._asdict().items():
            self.register_buffer(name, value.to(self.mean.device), persistent=False)

    def _prepared(self, lights: Sequence[int], evidence: bool = False) -> _Prepared:
        if lights == self._trusted():
            return _Prepared(*(getattr(self, name) for name in _Prepared._fields))
        key = (evidence, *lights)
        if key not in self._parts:
            part = self._prepare_lights(lights, evidence)
            self._parts[key] = _Prepared(*(None if value is None else value.to(self.mean.device) for value in part))
        return self._parts[key]

    def _prepare_lights(self, lights: Sequence[int], evidence: bool = True) -> _Prepared:
        index = self.columns_of(lights)
        if not bool(self.samples):  # not fitted yet: as for a unit covariance
            unit = torch.eye(len(index))
            principal = self.expectation.components.cpu()[:, index]
            return _Prepared(self.mean.cpu()[index], unit / len(index) ** 0.5, principal, unit, torch.ones(()))
        covariance = self.covariance.cpu().double()[index][:, index]
        for place, k in enumerate(lights):
            if self.weights[k] < 1:
                own = slice(place * self.channels, (place + 1) * self.channels)
                covariance[own, own] /= self.weights[k]
        white = whitening(covariance)
        distance = self.defects.weigh(white, index)
        missing = self.columns_of(k for k in range(self.lights) if k not in lights)
        principal = self.expectation.given(white, self.covariance.cpu().double(), index, missing)
        own = residuals(covariance, white, self.channels) if evidence else ()
        return _Prepared(*(each.float() for each in (self.mean.cpu()[index], distance, principal, *own)))

    def _require_lights(self, lights: Iterable[int] | None) -> list[int]:
        present = sorted(set(range(self.lights) if lights is None else lights))
        if not present or not 0 <= present[0] <= present[-1] < self.lights:
            raise ModelError(f"lights {present}: expected some of 0 to {self.lights - 1}")
        trusted = [k for k in present if self.weights[k] > 0]
        if not trusted:
            raise ModelError(f"lights {present} have the weight 0: nothing is left to judge by")
        return trusted

    def forward(self, images: Tensor, lights: Iterable[int] | None = None) -> Prediction:
        """images: as for `extract`; lights: as for `judge`."""
        return self.judge(self.extract(images), lights)

    def judge(self, levels: Sequence[Tensor], lights: Iterable[int] | None = None) -> Prediction:
        """levels: of all lights. lights: judge by these only; what the others show is not looked at. None: by all.

        Those of weight 0 are never looked at.
        light_weights: [B, 1, N], each light's evidence at the highest point of the map, as a share; 0 where not used.
        Raises ModelError: no lights, or one that there is not.
        """
        present = self._require_lights(lights)
        if len(present) < self.lights:
            levels = [level[:, present] for level in levels]
        known = self._prepared(present, evidence=True)
        offsets = self.describe(levels) - known.offset[:, None, None]
        anomaly_map = self._map(offsets, known)
        own = (self._at_peak(offsets, anomaly_map) @ known.evidence.T).unflatten(1, (-1, self.channels))
        shares = shares_of(own, known.baseline, own.new_tensor([self.weights[k] for k in present]))
        if len(present) < self.lights:
            every = shares.new_zeros(len(shares), self.lights)
            every[:, present] = shares
            shares = every
        return Prediction(anomaly_map, score(anomaly_map, self.top_share), shares[:, None])

    def map_of(self, vectors: Tensor, lights: Iterable[int] | None = None) -> Tensor:
        """The anomaly map alone, [B, S, S].

        vectors: what `describe` gives of all lights, [B, N · D, h, w]. lights: as for `judge`.
        """
        present = self._require_lights(lights)
        known = self._prepared(present)
        if len(present) < self.lights:
            vectors = vectors[:, self.columns_of(present)]
        return self._map(vectors - known.offset[:, None, None], known)

    def score_vectors(self, vectors: Tensor, lights: Iterable[int] | None = None) -> Tensor:
        """Image scores alone, [B]. Arguments as of `map_of`."""
        return score(self.map_of(vectors, lights), self.top_share)

    def _map(self, vectors: Tensor, known: _Prepared) -> Tensor:
        """vectors: less the offset."""
        expected = self.expectation(conv2d(vectors, known.principal[:, :, None, None]))
        anomaly = self._log_distance(vectors, known.distance) - expected + BASELINE
        anomaly = self.within(anomaly.clamp(min=LEAST).clamp(max=HIGHEST))
        size = (self.image_size, self.image_size)
        enlarged = interpolate(anomaly, size, mode="bilinear", align_corners=False)
        return self.within(enlarged.squeeze(1))  # not smoothed: one place can be all that shows a defect

    @staticmethod
    def _log_distance(offsets: Tensor, distance: Tensor) -> Tensor:
        """offsets: [B, N' · D, h, w]. [B, 1, h, w], growing slowly with the distance: a map keeps its contrast."""
        squares = conv2d(offsets, distance[:, :, None, None]).square().sum(1, keepdim=True)
        return 0.5 * torch.log1p(squares.square())

"""Faults of the rig, seen in the capture itself: a light that is dark, overexposed, moved, or swapped with another.

A light is known by its *look*: an 8 × 8 thumbnail of the part under it, in logarithms, less what all lights of that
capture have in common. The part's colour cancels, the direction and the power of the light stay. What is common is a
median over the lights, so that one bad light does not make the others look bad. All limits come from training captures,
each judged by a reference learnt without it, and lie far above the largest: a false alarm is worse than a miss, and a
defect, which covers little of the picture, is no fault of a light. So a light that turned by a few degrees, or that
drifts by less than a tenth, is not noticed.

Knows no network and no file: numpy alone, so that it runs wherever an artefact runs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from afrd.capture import MAX_LIGHTS, MIN_LIGHTS
from afrd.errors import DatasetError, ModelError

MIN_CAPTURES = 3
CELLS = 8
FULL = 254.5 / 255  # of the full scale: a pixel at or above it is saturated in 8 and in 16 bit
OFFSET = 0.1  # of the mean brightness, added before the logarithm: noise in a shadow is no change of the light
SPREAD = 0.05  # least spread of a cell: 5 % of brightness, what a lamp may drift after training
KEPT = 0.75  # of the cells, the most ordinary ones, make a distance: a defect or a shifted shadow fills the others
MARGIN = 3.0  # limits lie this far above the largest value met in training
LEAST_SHAPE, LEAST_GAIN = 0.5, 0.1  # limits are at least this: in spreads; in log brightness, so 10 %
FEWER = 1.5  # limits where some lights are left out: limits were learnt with all, fewer know less of what is common
DARK = 0.2  # of the least mean brightness in training, below which a light is not lit
BRIGHTER = 0.2  # above the brightest part of training, in log brightness: no good part is that bright
SIDE = 0.3  # of 1: how clearly a light must stand on one side, its own or another's, see `_Looks.nearness`

Kind = Literal["dark", "overexposed", "unlike", "swapped"]


@dataclass(frozen=True)
class LightFault:
    """One fault of the rig in one capture.

    light: index of the light. other: swapped, the light it was swapped with (light < other); unlike, None, or the other
    of the last two lights, where they do not fit each other and it cannot be told which is to blame.
    """

    light: int
    kind: Kind
    other: int | None = None


class LightReference(BaseModel):
    """What good captures look like under each of N lights; plain values for a card, about 3 kB for six lights.

    looks, spreads: one string a light, 8 × 8 whole numbers row by row, hundredths of log brightness: the mean look over
        the training captures and its standard deviation. common: the same for what the looks were taken from.
    offset: added to brightness (0 to 1, full scale 1) before the logarithm.
    shape_limits: per light, the largest distance of a look that is still good, in spreads, overall brightness aside.
    gain_limits: the largest deviation of its overall brightness from the other lights, in log brightness.
    levels: the least and largest overall log brightness in training, relative to the mean over training.
    darkest: per light, the least mean brightness in training, 0 to 1.
    saturated: per light, the largest share of saturated pixels in training, 0 to 1. Full scale is that of the data
        type: saturation of a 12-bit camera in unshifted uint16 is not recognised, such a light is only unlike.
    alike: pairs of lights that look so alike in training that a swap could not be noticed, and is not reported.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    looks: tuple[str, ...] = Field(min_length=MIN_LIGHTS, max_length=MAX_LIGHTS)
    spreads: tuple[str, ...]
    common: str
    offset: float = Field(gt=0)
    shape_limits: tuple[float, ...]
    gain_limits: tuple[float, ...]
    levels: tuple[tuple[float, float], ...]
    darkest: tuple[float, ...]
    saturated: tuple[float, ...]
    alike: tuple[tuple[int, int], ...]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        n = len(self)
        for name in ("spreads", "shape_limits", "gain_limits", "levels", "darkest", "saturated"):
            if len(getattr(self, name)) != n:
                raise ValueError(f"{name}: {len(getattr(self, name))} values for {n} lights")
        if any(not 0 <= i < j < n for i, j in self.alike):
            raise ValueError(f"alike: expected pairs of lights from 0 to {n - 1}, the smaller first")
        if (self._unpacked().spreads <= 0).any():
            raise ValueError("spreads: expected numbers above 0")
        return self

    def __len__(self) -> int:
        """The number of lights."""
        return len(self.looks)

    @classmethod
    def learn(cls, captures: Iterable[np.ndarray]) -> Self:
        """From good captures whose lights were all in order, [N, 3, H, W] each, uint8 or uint16; one is held at a time.

        A bad light among them widens that light's limits. Raises DatasetError: fewer than three captures, another
        shape, type or number of lights.
        """
        thumbnails, shares = [], []
        for index, images in enumerate(captures):
            problem = _misfit(images, len(thumbnails[0]) if thumbnails else None)
            if problem:
                raise DatasetError(f"capture {index} of the light check's training: {problem}")
            thumbnail, share = _measure(images)
            thumbnails.append(thumbnail)
            shares.append(share)
        n = len(thumbnails)
        if n < MIN_CAPTURES:
            raise DatasetError(
                f"{n} good captures to learn the lights from; expected at least {MIN_CAPTURES}: add captures, "
                f"or leave the light check out"
            )
        brightness = np.stack(thumbnails)  # [n, N, 64]
        offset = max(float(f"{OFFSET * brightness.mean():.4g}"), 1e-6)
        logs = np.log(brightness + offset)
        looks = _Looks.fit(logs, offset)
        levels = looks.levels(logs)
        shapes, gains, sides = [], [], []
        folds = min(n, 20)
        for fold in range(folds):
            out = np.arange(n) % folds == fold
            others = _Looks.fit(logs[~out], offset)
            shape, gain = others.distances(logs[out])
            shapes.append(shape)
            gains.append(gain)
            sides.append(others.nearness(logs[out]))
        side = np.concatenate(sides).min(0)
        return cls(
            looks=tuple(map(_pack, looks.looks)),
            spreads=tuple(map(_pack, looks.spreads)),
            common=_pack(looks.common),
            offset=offset,
            shape_limits=_rounded(np.maximum(MARGIN * np.concatenate(shapes).max(0), LEAST_SHAPE)),
            gain_limits=_rounded(np.maximum(MARGIN * np.concatenate(gains).max(0), LEAST_GAIN)),
            levels=tuple(zip(_rounded(levels.min(0)), _rounded(levels.max(0)), strict=True)),
            darkest=_rounded(brightness.mean(2).min(0)),
            saturated=_rounded(np.stack(shares).max(0)),
            alike=tuple(pair for pair in combinations(range(len(side)), 2) if min(side[pair], side[pair[::-1]]) < SIDE),
        )

    def check(self, images: np.ndarray) -> tuple[LightFault, ...]:
        """The faults of one capture, by light; empty where the rig is in order. images: [N, 3, H, W], uint8 or uint16.

        With only two lights left to compare, only their ratio is known: which of the two is unlike is told where the
        brightness of one alone is out of training's range, else both are named in one fault.

        Raises ModelError: another shape, type or number of lights.
        """
        problem = _misfit(images, len(self))
        if problem:
            raise ModelError(f"light check: {problem}")
        thumbnails, shares = _measure(images)
        logs = np.log(thumbnails + self.offset)
        looks = self._unpacked()
        levels = looks.levels(logs[None])[0]
        faults = []
        for light, mean in enumerate(thumbnails.mean(1)):
            # a light under which good parts are black cannot be seen to fail
            if mean < DARK * self.darkest[light] and self.darkest[light] > 1 / 255:
                faults.append(LightFault(light, "dark"))
            elif (
                shares[light] > self.saturated[light] + np.clip(2 * self.saturated[light], 0.03, 0.3)
                and levels[light] > self.levels[light][1] + BRIGHTER
            ):
                faults.append(LightFault(light, "overexposed"))
        left = [light for light in range(len(self)) if light not in {fault.light for fault in faults}]
        if len(left) >= 2:
            for i, j in self._swaps(logs, left, looks):
                logs[[i, j]] = logs[[j, i]]
                faults.append(LightFault(i, "swapped", j))
            faults += self._unlike(logs, left, looks)
        return tuple(sorted(faults, key=lambda fault: fault.light))

    def _swaps(self, logs: np.ndarray, left: list[int], looks: "_Looks") -> list[tuple[int, int]]:
        """Pairs of lights of which each stands on the other's side and fits there, the clearest first."""
        side = looks.of(left).nearness(logs[None, left])[0]
        found: list[tuple[int, int]] = []
        for a, b in sorted(combinations(range(len(left)), 2), key=lambda pair: side[pair] + side[pair[::-1]]):
            i, j = left[a], left[b]
            if (i, j) in self.alike or {i, j} & {light for pair in found for light in pair}:
                continue
            if max(side[a, b], side[b, a]) > -SIDE:
                continue
            exchanged = logs.copy()
            exchanged[[i, j]] = exchanged[[j, i]]
            if self._excess(exchanged, left, looks)[[a, b]].max() <= 1:
                found.append((i, j))
        return found

    def _unlike(self, logs: np.ndarray, left: list[int], looks: "_Looks") -> list[LightFault]:
        """The worst light is named and taken out of the comparison, until the others fit each other."""
        left, faults = list(left), []
        while len(left) >= 2:
            excess = self._excess(logs, left, looks)
            if excess.max() <= (1 if len(left) == len(self) else FEWER):
                break
            if len(left) == 2:
                level = looks.levels(logs[None])[0]
                odd = [k for k in left if not self.levels[k][0] - 0.1 <= level[k] <= self.levels[k][1] + 0.1]
                faults.append(LightFault(odd[0], "unlike") if len(odd) == 1 else LightFault(left[0], "unlike", left[1]))
                break
            faults.append(LightFault(left.pop(int(excess.argmax())), "unlike"))
        return faults

    def _excess(self, logs: np.ndarray, left: list[int], looks: "_Looks") -> np.ndarray:
        """Per light of `left`, compared with one another alone: the deviation from training, in limits.

        Above 1 too where limits are wide and a light nevertheless stands on another's side, as none did in training.
        """
        looks = looks.of(left)
        shape, gain = looks.distances(logs[None, left])
        excess = np.maximum(shape[0] / np.take(self.shape_limits, left), gain[0] / np.take(self.gain_limits, left))
        side = looks.nearness(logs[None, left])[0]
        for a, b in combinations(range(len(left)), 2):
            if (left[a], left[b]) in self.alike:
                side[a, b] = side[b, a] = 1
        strays = side.min(1)
        return np.where(strays < -SIDE, np.maximum(excess, 1 - strays), excess)

    def _unpacked(self) -> "_Looks":
        return _Looks(_unpack(self.looks), _unpack(self.spreads), _unpack((self.common,))[0], self.offset)


@dataclass(frozen=True)
class _Looks:
    """looks, spreads: [N, 64]; common: [64]; of log thumbnails [n, N, 64], which hold brightness + offset."""

    looks: np.ndarray
    spreads: np.ndarray
    common: np.ndarray
    offset: float

    @classmethod
    def fit(cls, logs: np.ndarray, offset: float) -> Self:
        looks = (logs - logs.mean(1, keepdims=True)).mean(0)
        for _ in range(2):  # the common part is a median, of which the looks must be free
            looks = looks + np.median(_residuals(logs, looks), 0)
        residuals = _residuals(logs, looks)
        shape = residuals - np.median(residuals, 2, keepdims=True)
        spreads = np.sqrt((shape**2).mean(0) + SPREAD**2)
        return cls(looks, spreads, np.median(logs - looks, 1).mean(0), offset)

    def of(self, lights: list[int]) -> "_Looks":
        return _Looks(self.looks[lights], self.spreads[lights], self.common, self.offset)

    def distances(self, logs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of each light from its look: of its shape, in spreads, and of its overall brightness, in logarithms; [n, N].

        In the shape a cell counts by how much the lights differ there: a small part on a backdrop that is the same
        under all of them is not outvoted by the backdrop.
        """
        residuals = _residuals(logs, self.looks)
        gain = _weighted_median(residuals, self._lit())
        telling = np.clip(self.looks.std(0) / self.spreads, 0.25, 4)
        return _usual(np.abs(residuals - gain[..., None]) / self.spreads, telling), np.abs(gain)

    def levels(self, logs: np.ndarray) -> np.ndarray:
        """Overall log brightness of each light, relative to training's mean; [n, N]."""
        return _weighted_median(logs - self.looks - self.common, self._lit())

    def nearness(self, logs: np.ndarray) -> np.ndarray:
        """[n, N, N]: 1 where light i of a capture looks like light i of training, -1 where it looks like light j.

        Each cell has a bounded say, of the size of the difference of the two looks there. Where these differ by less
        than half a spread, and so less than lamps drift, the answer shrinks to 0.
        """
        alone = logs - np.median(logs - self.looks, 1, keepdims=True)
        from_own = (alone - self.looks)[:, :, None]  # [n, N, 1, 64]
        from_other = alone[:, :, None] - self.looks  # [n, N, N, 64]
        between = self.looks[:, None] - self.looks
        least = 0.5
        if len(self.looks) == 2:
            # the drift of one is the other's too, with the opposite sign: brightness says nothing, only shape does
            from_own, from_other, between = (
                values - np.median(values, -1, keepdims=True) for values in (from_own, from_other, between)
            )
            least = 1.0
        spreads = np.sqrt((self.spreads[:, None] ** 2 + self.spreads**2) / 2)
        bound = np.minimum(np.abs(between) / spreads, 4)
        say = np.clip((np.abs(from_other) - np.abs(from_own)) / spreads, -bound, bound)
        own = np.eye(len(self.looks), dtype=bool)
        return np.where(own, 1, say.mean(-1) / np.maximum(bound.mean(-1), least))

    def _lit(self) -> np.ndarray:
        """How much a cell tells of a light's power: nothing where good parts are black under it."""
        return np.maximum(1 - self.offset / np.exp(self.common + self.looks), 1e-3) / self.spreads


def describe_light_fault(fault: LightFault, names: Sequence[str]) -> str:
    """The fault in words, with its mend. names: of all lights, in the order of the capture."""
    light, other = names[fault.light], None if fault.other is None else names[fault.other]
    if fault.kind == "dark":
        return f"light {light}: dark, as if it were not lit; check its cable, its driver and its trigger"
    if fault.kind == "overexposed":
        return f"light {light}: overexposed, far more is saturated than in training; lower its power or its exposure"
    if fault.kind == "swapped":
        return f"lights {light} and {other}: swapped; exchange their cables, or pass their images in training's order"
    mend = "check power, exposure and position, and whether something covers the light; if the rig was changed, retrain"
    if other is None:
        return f"light {light}: unlike training; {mend}"
    return f"light {light} or {other}: one is unlike training, from two lights it cannot be told which; {mend}"


def _misfit(images: np.ndarray, lights: int | None) -> str | None:
    """What is wrong with the array of a capture."""
    expected = f"expected [{lights or f'{MIN_LIGHTS} to {MAX_LIGHTS}'}, 3, H, W], one image per light"
    if not isinstance(images, np.ndarray):
        return f"images are a {type(images).__name__}; expected a numpy array"
    right = len(images) == lights if lights and images.ndim else images.ndim and MIN_LIGHTS <= len(images) <= MAX_LIGHTS
    if images.ndim != 4 or not right or images.shape[1] != 3 or min(images.shape[2:]) < CELLS:
        return f"images of shape {list(images.shape)}; {expected}, at least {CELLS} × {CELLS} pixels"
    if images.dtype not in (np.uint8, np.uint16):
        return f"images are {images.dtype}; expected uint8 or uint16"
    return None


def _measure(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean grey of 8 × 8 cells, [N, 64], 0 to 1; share of pixels with a saturated channel, [N]."""
    full = float(np.iinfo(images.dtype).max)
    sums = images.sum(1, dtype=np.uint32)  # [N, H, W]
    edges = [np.linspace(0, size, CELLS + 1).astype(int) for size in sums.shape[1:]]
    for axis in (2, 1):
        sums = np.add.reduceat(sums, edges[axis - 1][:-1], axis, dtype=np.float64)
    pixels = np.outer(*(np.diff(edge) for edge in edges))
    return (sums / (3 * full * pixels)).reshape(len(images), -1), (images.max(1) >= FULL * full).mean((1, 2))


def _residuals(logs: np.ndarray, looks: np.ndarray) -> np.ndarray:
    """What is left of [n, N, 64] without the looks and what the lights have in common: the part."""
    rest = logs - looks
    return rest - np.median(rest, 1, keepdims=True)


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Over the cells of [n, N, 64], weights [N, 64]."""
    order = values.argsort(-1)
    weights = np.take_along_axis(np.broadcast_to(weights, values.shape), order, -1).cumsum(-1)
    middle = (weights < weights[..., -1:] / 2).sum(-1, keepdims=True)
    return np.take_along_axis(values, np.take_along_axis(order, middle, -1), -1)[..., 0]


def _usual(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted mean over the cells of [n, N, 64], without the largest values, a quarter of all weight."""
    order = values.argsort(-1)
    values = np.take_along_axis(values, order, -1)
    weights = np.take_along_axis(np.broadcast_to(weights, values.shape), order, -1)
    before = weights.cumsum(-1) - weights
    kept = np.clip(KEPT * weights.sum(-1, keepdims=True) - before, 0, weights)
    return (kept * values).sum(-1) / kept.sum(-1)


def _pack(values: np.ndarray) -> str:
    """One short line, which a person can still read in a YAML card."""
    return " ".join(str(round(100 * value)) for value in values)


def _unpack(lines: tuple[str, ...]) -> np.ndarray:
    values = [[int(number) for number in line.split()] for line in lines]
    if any(len(light) != CELLS**2 for light in values):
        raise ValueError(f"expected {CELLS**2} whole numbers a light")
    return np.array(values, float) / 100


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple(round(float(value), 4) for value in values)

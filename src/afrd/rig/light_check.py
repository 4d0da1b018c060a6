"""Faults of the rig, seen in the capture itself: a light that is dark, overexposed, moved, or swapped with another.

A light is known by its *look*: an 8 × 8 thumbnail of the part under it, in logarithms, less what all lights of that
capture have in common. The part's colour cancels, the direction and the power of the light stay. What is common is a
median over the lights, so that one bad light does not make the others look bad. All limits come from training captures,
each judged by a reference learnt without it, and lie far above the largest: a false alarm is worse than a miss, and a
defect, which covers little of the picture, is no fault of a light. So a light that turned by a few degrees, or that
drifts by less than a tenth, is not noticed.

Knows no network and no file: numpy and OpenCV alone, so that it runs wherever an artefact runs.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from afrd.capture import CHANNELS, MAX_LIGHTS, MIN_LIGHTS
from afrd.errors import DatasetError, ModelError
from afrd.imaging.cells import CELLS, measure, pack, unpack
from afrd.rig.light_signature import LightSignatures

MIN_CAPTURES = 3
OFFSET = 0.1  # of the mean brightness, added before the logarithm: noise in a shadow is no change of the light
MARGIN = 3.0  # limits lie this far above the largest value met in training
LEAST_SHAPE, LEAST_GAIN = 0.5, 0.1  # limits are at least this: in spreads; in log brightness, so 10 %
FEWER = 1.5  # limits where some lights are left out: limits were learnt with all, fewer know less of what is common
DARK = 0.2  # of the least mean brightness in training, below which a light is not lit
LIT = 0.5  # of the usual brightness, above which the other lights of a capture are lit
BRIGHTER = 0.2  # above the brightest part of training, in log brightness: no good part is that bright
OPPOSITE = -0.5  # correlation of two looks, less what all lights share, below which they reverse each other
SIDE = 0.3  # of 1: how clearly a light must stand on one side, its own or another's, see `LightSignatures.similarity`

Kind = Literal["dark", "overexposed", "unlike", "swapped", "shifted"]


@dataclass(frozen=True)
class LightFault:
    """One fault of the rig in one capture.

    light: index of the light. shifted is found where lights are registered (`afrd.imaging.motion`), not by its look.
    other: swapped, the light it was swapped with (light < other); unlike, None, or the other
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
    alike: pairs of lights that look so alike in training that a swap shows by their limits alone, or not at all.
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
    def learn(cls, captures: Iterable[np.ndarray], ids: Sequence[str] = (), names: Sequence[str] = ()) -> Self:
        """From good captures whose lights were all in order, [N, 3, H, W] each, uint8 or uint16; one is held at a time.

        A bad light among them widens that light's limits. ids, names: of the captures and the lights, for the errors.
        Raises DatasetError: fewer than three captures, another shape, type or number of lights; a light that is dark in
        some captures and lit in most.
        """
        thumbnails, shares = [], []
        for index, images in enumerate(captures):
            problem = _misfit(images, len(thumbnails[0]) if thumbnails else None)
            if problem:
                raise DatasetError(f"capture {index} of the light check's training: {problem}")
            thumbnail, share = measure(images)
            thumbnails.append(thumbnail)
            shares.append(share)
        n = len(thumbnails)
        if n < MIN_CAPTURES:
            raise DatasetError(
                f"{n} good captures to learn the lights from; expected at least {MIN_CAPTURES}: add captures, "
                f"or leave the light check out"
            )
        brightness = np.stack(thumbnails)  # [n, N, 64]
        require_lit(brightness.mean(2), ids or [str(k) for k in range(n)], names or [str(k) for k in range(n)])
        offset = max(float(f"{OFFSET * brightness.mean():.4g}"), 1e-6)
        logs = np.log(brightness + offset)
        signatures = LightSignatures.fit(logs, offset)
        levels = signatures.levels(logs)
        shapes, gains, sides = [], [], []
        folds = min(n, 20)
        for fold in range(folds):
            out = np.arange(n) % folds == fold
            others = LightSignatures.fit(logs[~out], offset)
            shape, gain = others.distances(logs[out])
            shapes.append(shape)
            gains.append(gain)
            sides.append(others.similarity(logs[out]))
        side = np.concatenate(sides).min(0)
        return cls(
            looks=tuple(map(pack, signatures.means)),
            spreads=tuple(map(pack, signatures.spreads)),
            common=pack(signatures.common),
            offset=offset,
            shape_limits=_rounded(np.maximum(MARGIN * np.concatenate(shapes).max(0), LEAST_SHAPE)),
            gain_limits=_rounded(np.maximum(MARGIN * np.concatenate(gains).max(0), LEAST_GAIN)),
            levels=tuple(zip(_rounded(levels.min(0)), _rounded(levels.max(0)), strict=True)),
            darkest=_rounded(brightness.mean(2).min(0)),
            saturated=_rounded(np.stack(shares).max(0)),
            alike=tuple(pair for pair in combinations(range(len(side)), 2) if min(side[pair], side[pair[::-1]]) < SIDE),
        )

    def check(
        self, images: np.ndarray, missing: Collection[int] = (), name: str = "light check"
    ) -> tuple[LightFault, ...]:
        """The faults of one capture, by light; empty where the rig is in order. images: [N, 3, H, W], uint8 or uint16.

        missing: lights that are known to be out of order; their images are not looked at. name: for the errors.
        With only two lights left to compare, only their ratio is known: which of the two is unlike is told where the
        brightness of one alone is out of training's range, else both are named in one fault.

        Raises ModelError: another shape, type or number of lights.
        """
        problem = _misfit(images, len(self))
        if problem:
            raise ModelError(f"{name}: {problem}")
        thumbnails, shares = measure(images)
        logs = np.log(thumbnails + self.offset)
        signatures = self._unpacked()
        levels = signatures.levels(logs[None])[0]
        faults = []
        for light, mean in enumerate(thumbnails.mean(1)):
            if light in missing:
                continue
            # a light under which good parts are black cannot be seen to fail
            if mean < DARK * self.darkest[light] and self.darkest[light] > 1 / 255:
                faults.append(LightFault(light, "dark"))
            elif (
                shares[light] > self.saturated[light] + np.clip(2 * self.saturated[light], 0.03, 0.3)
                and levels[light] > self.levels[light][1] + BRIGHTER
            ):
                faults.append(LightFault(light, "overexposed"))
        out = {fault.light for fault in faults} | set(missing)
        left = [light for light in range(len(self)) if light not in out]
        if len(left) >= 2:
            for i, j in self._swaps(logs, left, signatures):
                logs[[i, j]] = logs[[j, i]]
                faults.append(LightFault(i, "swapped", j))
            faults += self._unlike(logs, left, signatures)
        return tuple(sorted(faults, key=lambda fault: fault.light))

    def opposite(self) -> tuple[tuple[int, int], ...]:
        """Pairs of lights that come from opposite sides: each is the other's reverse, and more so than any third."""
        if len(self) < 2:
            return ()
        means = self._unpacked().means
        sides = means - means.mean(0)
        sides = sides - sides.mean(1, keepdims=True)  # a light's power says nothing of its side
        sides /= np.maximum(np.linalg.norm(sides, axis=1, keepdims=True), 1e-9)
        alike = sides @ sides.T
        first, second = np.sort(alike, 1)[:, :2].T
        clear = (first < OPPOSITE) & (first < second - 0.05 if len(self) > 2 else True)
        other = alike.argmin(1)
        return tuple((i, int(j)) for i, j in enumerate(other) if i < j and other[j] == i and clear[i] and clear[j])

    def _swaps(self, logs: np.ndarray, left: list[int], signatures: LightSignatures) -> list[tuple[int, int]]:
        """Pairs of lights of which each stands on the other's side and fits there, the clearest first."""
        side = signatures.of(left).similarity(logs[None, left])[0]
        found: list[tuple[int, int]] = []
        for a, b in sorted(combinations(range(len(left)), 2), key=lambda pair: side[pair] + side[pair[::-1]]):
            i, j = left[a], left[b]
            if (i, j) in self.alike or {i, j} & {light for pair in found for light in pair}:
                continue
            if max(side[a, b], side[b, a]) > -SIDE:
                continue
            exchanged = logs.copy()
            exchanged[[i, j]] = exchanged[[j, i]]
            if self._excess(exchanged, left, signatures)[[a, b]].max() <= 1:
                found.append((i, j))
        return found

    def _unlike(self, logs: np.ndarray, left: list[int], signatures: LightSignatures) -> list[LightFault]:
        """The worst light is named and taken out of the comparison, until the others fit each other."""
        left, faults = list(left), []
        while len(left) >= 2:
            excess = self._excess(logs, left, signatures)
            if excess.max() <= (1 if len(left) == len(self) else FEWER):
                break
            if len(left) == 2:
                level = signatures.levels(logs[None])[0]
                odd = [k for k in left if not self.levels[k][0] - 0.1 <= level[k] <= self.levels[k][1] + 0.1]
                faults.append(LightFault(odd[0], "unlike") if len(odd) == 1 else LightFault(left[0], "unlike", left[1]))
                break
            worst = left[int(excess.argmax())]
            other = self._exchanged_with(worst, logs, left, signatures)
            faults.append(LightFault(worst, "unlike") if other is None else LightFault(other[0], "swapped", other[1]))
            left = [light for light in left if light not in (other or (worst,))]
        return faults

    def _exchanged_with(
        self, light: int, logs: np.ndarray, left: list[int], signatures: LightSignatures
    ) -> tuple[int, int] | None:
        """The pair of a light that does not fit and one in whose place it does, while that one fits in its place.

        Two lights that look much alike may be exchanged with only one of them out of its limits. Left out alone, the
        other would be judged in the wrong place.
        """
        for other in left:
            pair = min(light, other), max(light, other)
            if other == light:
                continue
            exchanged = logs.copy()
            exchanged[list(pair)] = exchanged[list(pair[::-1])]
            if self._excess(exchanged, left, signatures)[[left.index(k) for k in pair]].max() <= 1:
                return pair
        return None

    def _excess(self, logs: np.ndarray, left: list[int], signatures: LightSignatures) -> np.ndarray:
        """Per light of `left`, compared with one another alone: the deviation from training, in limits.

        Above 1 too where limits are wide and a light nevertheless stands on another's side, as none did in training.
        """
        signatures = signatures.of(left)
        shape, gain = signatures.distances(logs[None, left])
        excess = np.maximum(shape[0] / np.take(self.shape_limits, left), gain[0] / np.take(self.gain_limits, left))
        side = signatures.similarity(logs[None, left])[0]
        for a, b in combinations(range(len(left)), 2):
            if (left[a], left[b]) in self.alike:
                side[a, b] = side[b, a] = 1
        strays = side.min(1)
        return np.where(strays < -SIDE, np.maximum(excess, 1 - strays), excess)

    def _unpacked(self) -> LightSignatures:
        return LightSignatures(unpack(self.looks), unpack(self.spreads), unpack((self.common,))[0], self.offset)


def require_lit(brightness: np.ndarray, ids: Sequence[str], names: Sequence[str], learned: int | None = None) -> None:
    """brightness: [n, N], means; the first `learned` tell what is usual. Raises DatasetError: a light dark in few."""
    usual = np.median(brightness[:learned], 0)
    share = np.where(usual > 0.01, brightness / np.maximum(usual, 0.01), 1)  # one that shows nothing is never dark
    if (dark := (share < DARK) & (np.median(share, 1, keepdims=True) > LIT)).any():
        index, light = np.argwhere(dark)[0]
        more = int(dark.any(1).sum()) - 1
        raise DatasetError(
            f"capture {ids[index]}: light {names[light]} is dark, as if it were not lit, and is lit in most training "
            f"captures{f' (and so in {more} more captures)' if more else ''}; take the capture out, or take it again"
        )


def _misfit(images: np.ndarray, lights: int | None) -> str | None:
    """What is wrong with the array of a capture."""
    expected = f"expected [{lights or f'{MIN_LIGHTS} to {MAX_LIGHTS}'}, 3, H, W], one image per light"
    if not isinstance(images, np.ndarray):
        return f"images are a {type(images).__name__}; expected a numpy array"
    right = len(images) == lights if lights and images.ndim else images.ndim and MIN_LIGHTS <= len(images) <= MAX_LIGHTS
    if images.ndim != 4 or not right or images.shape[1] not in CHANNELS or min(images.shape[2:]) < CELLS:
        return f"images of shape {list(images.shape)}; {expected}, at least {CELLS} × {CELLS} pixels"
    if images.dtype not in (np.uint8, np.uint16):
        return f"images are {images.dtype}; expected uint8 or uint16"
    return None


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple(round(float(value), 4) for value in values)

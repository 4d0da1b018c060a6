"""Is the whole rig as it was in training? Every light dimmer, blurred, noisier, of another colour, or stored as JPEG.

`light_check` compares the lights of a capture with each other, so it does not see what all have in common. This
compares a capture with training's: figures that say little of the part (`afrd.rig.measure`), each with its mean and
spread over good captures. Brightness and colour are taken where captures are steady, so mostly from what lies around
the part. Numpy alone, so that it runs wherever an artefact runs.
"""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from afrd.capture import MAX_LIGHTS, MIN_LIGHTS
from afrd.errors import DatasetError
from afrd.imaging.cells import CELLS, weighted_median
from afrd.rig.measure import RigMeasurement, measure_rig
from afrd.rig.words import QUANTITIES, change_in_words, spot_in_words

if TYPE_CHECKING:
    from afrd.capture import Capture
    from afrd.imaging.motion import Registered

MIN_CAPTURES = 3
OFFSET = 0.1  # of the mean brightness, added before a logarithm: noise in a shadow is no change
FAINT = 0.02  # of that: added to noise before a logarithm
LEAST_CELL = 0.01  # least spread of a cell, in log brightness
# Of `QUANTITIES`: least spread, what a rig in order may do; least limit of a note on one capture.
LEAST_SPREAD = np.array([0.005, 0.003, 0.005, 0.02, 0.02])
LEAST_LIMIT = np.array([0.05, 0.03, 0.15, 0.2, 0.2])
UPWARDS = np.array([1, 1, 2, 1, 1])  # limits upwards are this many times as far: a rough defect sharpens a picture
LEAST_SPOT = 0.25  # of full scale
RARE = 3.9  # normal quantile of one in ten thousand, of the limit of a note
MARGIN = 1.5  # a limit of a note lies this far above the largest value met in training, at least
FOLDS = 20


class RigReference(BaseModel):
    """What captures of good parts are like under a rig of N lights that is in order; plain values for a card.

    captures: that it was learned from. offset: added to brightness (0 to 1, full scale 1) before the logarithm.
    levels, level_spreads: one string a light, thousandths of log brightness of 8 × 8 cells, row by row: mean and
        standard deviation. colours, colour_spreads: the same of log red over blue.
    centres: per quantity (`QUANTITIES`), per light: its mean in training, in logarithms.
    spreads: per quantity: of the whole rig (the median over the lights), then of each light less the rig's.
    limits: per quantity: how far the whole rig of one capture may be off without a note.
    spot_limit: the same for one pixel against its neighbours, fraction of full scale.
    within: whether noise, sharpness and JPEG are those of the region of interest alone, brightness and colour those of
        the picture before the rest was filled.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    captures: int = Field(ge=MIN_CAPTURES)
    offset: float = Field(gt=0)
    levels: tuple[str, ...] = Field(min_length=MIN_LIGHTS, max_length=MAX_LIGHTS)
    level_spreads: tuple[str, ...]
    colours: tuple[str, ...]
    colour_spreads: tuple[str, ...]
    centres: tuple[tuple[float, ...], ...]
    spreads: tuple[tuple[float, ...], ...]
    limits: tuple[float, ...]
    spot_limit: float
    within: bool = False

    @model_validator(mode="after")
    def _whole(self) -> Self:
        n = len(self.levels)
        for name in ("level_spreads", "colours", "colour_spreads"):
            if len(getattr(self, name)) != n:
                raise ValueError(f"{name}: {len(getattr(self, name))} lights, levels has {n}")
        for name, size in (("centres", n), ("spreads", n + 1)):
            if [len(row) for row in getattr(self, name)] != [size] * len(QUANTITIES):
                raise ValueError(f"{name}: expected {len(QUANTITIES)} rows of {size} numbers")
        if len(self.limits) != len(QUANTITIES):
            raise ValueError(f"limits: expected {len(QUANTITIES)} numbers")
        if min(self.limits) <= 0 or min(map(min, self.spreads)) <= 0:
            raise ValueError("limits, spreads: expected numbers above 0")
        for name in ("level_spreads", "colour_spreads"):
            if (_unpacked(getattr(self, name)) <= 0).any():
                raise ValueError(f"{name}: expected numbers above 0")
        _unpacked(self.levels), _unpacked(self.colours)
        return self

    def __len__(self) -> int:
        """The number of lights."""
        return len(self.levels)

    @classmethod
    def learn(cls, measured: Sequence[RigMeasurement], within: bool = False) -> Self:
        """From captures of good parts, all lights in order, measured within their region of interest or not.

        Raises DatasetError: fewer than three.
        """
        n = len(measured)
        if n < MIN_CAPTURES:
            raise DatasetError(f"{n} good captures to learn the rig from; expected at least {MIN_CAPTURES}")
        grey = np.stack([one.grey for one in measured])
        offset = max(float(f"{OFFSET * grey.mean():.4g}"), 1e-6)
        whole = _Cells.fit(measured, offset)
        steady = np.empty((n, 2, grey.shape[1]))
        for fold in range(folds := min(n, FOLDS)):
            out = np.arange(n) % folds == fold
            inside, outside = (
                [one for one, is_out in zip(measured, out, strict=True) if is_out == o] for o in (False, True)
            )
            steady[out] = _Cells.fit(inside, offset).deviations(outside)
        values = np.concatenate([steady, _detail(measured, offset)], 1)  # [n, Q, N]
        centres = np.stack([[_centre(light)[0] for light in quantity] for quantity in values.transpose(1, 2, 0)])
        parted = _parted(values - centres)
        parted[:, 2:] *= n / (n - 1)  # those of the cells were left out of their own mean already
        spreads = np.stack([[_centre(chart)[1] for chart in quantity] for quantity in parted.transpose(1, 2, 0)])
        spreads = np.maximum(spreads, LEAST_SPREAD[:, None])
        largest = np.abs(parted[:, :, 0]).max(0)
        limits = np.maximum(_student(n - 1) * spreads[:, 0] * np.sqrt(1 + 1 / n), MARGIN * largest)
        spots = max(one.spot for one in measured)
        return cls(
            captures=n,
            offset=offset,
            levels=_packed(whole.means[0]),
            level_spreads=_packed(whole.spreads[0]),
            colours=_packed(whole.means[1]),
            colour_spreads=_packed(whole.spreads[1]),
            centres=_rounded(centres),
            spreads=_rounded(spreads),
            limits=_rounded(np.maximum(limits, LEAST_LIMIT)[None])[0],
            spot_limit=round(max(LEAST_SPOT, MARGIN * spots), 5),
            within=within,
        )

    def measure(self, seen: "Capture | Registered") -> RigMeasurement:
        """As the captures were that it was learned from."""
        if not self.within or seen.region is None:
            return measure_rig(seen.images)
        return measure_rig(seen.images, seen.region.inside, seen.cells)

    def deviations(self, measured: RigMeasurement) -> np.ndarray:
        """[Q, 1 + N]: of each quantity the whole rig's, then each light's beyond it, from training, in logarithms."""
        cells = _Cells(
            np.stack([_unpacked(self.levels), _unpacked(self.colours)]),
            np.stack([_unpacked(self.level_spreads), _unpacked(self.colour_spreads)]),
            self.offset,
        )
        steady = cells.deviations([measured])
        values = np.concatenate([steady, _detail([measured], self.offset)], 1)
        return _parted(values - np.array(self.centres))[0]

    def notes(self, measured: RigMeasurement, deviations: np.ndarray) -> tuple[str, ...]:
        """What is grossly wrong with the whole rig in this one capture, in words, each with its fix."""
        rig, gross = deviations[:, 0], self._gross(deviations)
        beyond = {quantity: float(size) for quantity, size, bad in zip(QUANTITIES, rig, gross, strict=True) if bad}
        notes = [f"rig: {change_in_words(quantity, size)}" for quantity, size in told_apart(beyond).items()]
        if measured.spot > self.spot_limit:
            notes.append(f"rig: {spot_in_words(measured.spot_at)}")
        return tuple(notes)

    def unlike(self, deviations: np.ndarray) -> bool:
        """Whether `notes` says more of the capture than that one pixel stands out."""
        return bool(self._gross(deviations).any())

    def notes_capture(self, seen: "Capture | Registered") -> bool:
        """The same of a capture, as seen."""
        return self.unlike(self.deviations(self.measure(seen)))

    def _gross(self, deviations: np.ndarray) -> np.ndarray:
        rig = deviations[:, 0]
        return np.asarray(np.abs(rig) > self.limits * np.where(rig > 0, UPWARDS, 1))

    def digest(self) -> str:
        """Of all values, so that the state of a monitor is not read beside another reference."""
        return hashlib.sha256(self.model_dump_json(exclude_defaults=True).encode()).hexdigest()[:16]


def told_apart(sizes: dict[str, float]) -> dict[str, float]:
    """Without what only follows from another change.

    Blur, JPEG and less light take noise away, and JPEG changes colours a little.
    """
    jpeg = sizes.get("blocks", 0) < 0
    quieter = jpeg or sizes.get("sharpness", 0) < 0 or sizes.get("brightness", 0) < 0
    follows = {"noise": quieter and sizes.get("noise", 0) < 0, "colour": jpeg}
    return {quantity: size for quantity, size in sizes.items() if not follows.get(quantity)}


class _Cells:
    """means, spreads: [2, N, 64], of log (brightness + offset), and of log of red over blue."""

    def __init__(self, means: np.ndarray, spreads: np.ndarray, offset: float) -> None:
        self.means, self.spreads, self.offset = means, spreads, offset

    @classmethod
    def fit(cls, measured: Sequence[RigMeasurement], offset: float) -> Self:
        levels = _levels(measured, offset)
        means, spreads = levels.mean(0), np.sqrt(levels.var(0) + LEAST_CELL**2)
        first = cls(np.stack([means, means]), np.stack([spreads, spreads]), offset)
        colours = first._colours(measured, first._brightness(measured))
        return cls(
            np.stack([means, colours.mean(0)]),
            np.stack([spreads, np.sqrt(colours.var(0) + LEAST_CELL**2)]),
            offset,
        )

    def deviations(self, measured: Sequence[RigMeasurement]) -> np.ndarray:
        """[n, 2, N]: brightness and colour, medians over cells that count by how steady and lit they are."""
        brightness = self._brightness(measured)
        colours = (self._colours(measured, brightness) - self.means[1]) / np.maximum(self._lit(), 0.05)
        return np.stack([brightness, weighted_median(colours, (self._lit() / self.spreads[1]) ** 2)], 1)

    def _brightness(self, measured: Sequence[RigMeasurement]) -> np.ndarray:
        """[n, N]."""
        share = np.maximum(self._lit(), 0.05)
        changes = np.expm1(_levels(measured, self.offset) - self.means[0])
        apart = np.log(np.maximum((changes + share) / share, 0.01))
        return weighted_median(apart, (self._lit() / self.spreads[0]) ** 2)

    def _colours(self, measured: Sequence[RigMeasurement], brightness: np.ndarray) -> np.ndarray:
        """[n, N, 64]; the offset follows the brightness, so that less light is no other colour."""
        offsets = self.offset * np.exp(brightness)[..., None]
        red, blue = (np.stack([getattr(one, name) for one in measured]) for name in ("red", "blue"))
        return np.log((red + offsets) / (blue + offsets))

    def _lit(self) -> np.ndarray:
        """[N, 64]: of brightness + offset, what a change of the light changes."""
        return np.clip(1 - self.offset / np.exp(self.means[0]), 0.001, 1)


def _levels(measured: Sequence[RigMeasurement], offset: float) -> np.ndarray:
    """[n, N, 64]."""
    return np.log(np.stack([one.grey for one in measured]) + offset)


def _detail(measured: Sequence[RigMeasurement], offset: float) -> np.ndarray:
    """[n, 3, N]: sharpness, noise, blocks."""
    return np.stack([(one.sharpness, np.log(one.noise + FAINT * offset), one.blocks) for one in measured])


def _parted(values: np.ndarray) -> np.ndarray:
    """[n, Q, N] to [n, Q, 1 + N]: the median over the lights, and what each is beyond it."""
    rig = np.median(values, -1, keepdims=True)
    return np.concatenate([rig, values - rig], -1)


def _centre(values: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation; what lies far off, as one capture under a bad rig would, is drawn in."""
    middle = np.median(values)
    width = 4 * 1.4826 * np.median(np.abs(values - middle))
    held = np.clip(values, middle - width, middle + width) if width > 0 else values
    return float(held.mean()), float(held.std(ddof=1))


def _student(degrees: int) -> float:
    """Quantile of Student's t, by its expansion around the normal's (Abramowitz and Stegun 26.7.5)."""
    z, v = RARE, degrees
    return (
        z
        + (z**3 + z) / (4 * v)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
    )


def _packed(rows: np.ndarray) -> tuple[str, ...]:
    return tuple(" ".join(str(round(1000 * value)) for value in row) for row in rows)


def _unpacked(lines: tuple[str, ...]) -> np.ndarray:
    rows = [[int(number) for number in line.split()] for line in lines]
    if any(len(row) != CELLS**2 for row in rows):
        raise ValueError(f"expected {CELLS**2} whole numbers a light")
    return np.array(rows, float) / 1000


def _rounded(rows: np.ndarray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(round(float(value), 5) for value in row) for row in rows)

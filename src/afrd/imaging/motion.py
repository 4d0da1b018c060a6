"""How parts move from light to light: learned from good captures, undone in every capture, checked in each.

constant: parts lie on a belt and lights are triggered at equal intervals, so one velocity tells all shifts; it may
differ from capture to capture. free: every light has a shift of its own, which stays. What a capture's shifts leave
unexplained is a fault of the rig: a light that was triggered too early or late, a part that rolled.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from afrd.errors import DatasetError
from afrd.imaging.region import MovedRegion, Region
from afrd.imaging.registration import LEAST, WINDOW, estimate_shifts, move_back

MOST = 1 / 4  # of the side of what is compared: larger shifts are no motion between two pictures
MARGIN, LEAST_LIMIT = 3.0, 0.5  # the limit lies this far above what training left unexplained, and is at least this, px
FASTER = (4.0, 0.25)  # px, or this share of training's largest shift, by which parts may move farther than in training
STILL = 0.3  # px, below which lights lie on each other
LEARNED_FROM = 20  # captures, at most


class Registered(NamedTuple):
    """images: [N, C, H, W], shifts undone. shifts: [N, 2] x, y, what was undone. moved: lights that do not fit them.

    replaced: x, y of dead pixels, see `afrd.imaging.dead_pixels`. region: where is looked at; None: everywhere. lost:
        the part that the region follows was not found, so it is everywhere, or lies outside of the picture in part.
    cells: [N, C, 64], means of 8 × 8 cells (`afrd.imaging.cells`) before what lies outside was filled; None: none was.
    """

    images: np.ndarray
    shifts: np.ndarray | None = None
    moved: tuple[int, ...] = ()
    replaced: tuple[tuple[int, int], ...] = ()
    region: Region | MovedRegion | None = None
    lost: bool = False
    cells: np.ndarray | None = None


class Motion(BaseModel):
    """kind: see the module. shifts: of each light, x, y in pixels, zero on average: the median over good captures.

    limit: how far a light may lie from where the others, or for `free` training, have it, in pixels.
    triggers: when each light is triggered, in intervals; None: one after the other, as they are given.
    farthest: the largest shift of a light that was undone in training, in pixels; None: an earlier afrd kept none.
    height, width: of the captures, since all of that is in their pixels; None likewise.
    of_region: whether it is the motion of what the region of interest shows, not of the middle of the picture.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    kind: Literal["constant", "free"]
    shifts: tuple[tuple[float, float], ...]
    limit: float = Field(gt=0)
    triggers: tuple[int, ...] | None = None
    farthest: float | None = Field(None, ge=0)
    height: int | None = Field(None, gt=0)
    width: int | None = Field(None, gt=0)
    of_region: bool = False

    @model_serializer(mode="wrap")
    def _as_written(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what an earlier afrd kept none of, so that what was learned by it has the same digest still."""
        added = {"farthest": None, "height": None, "width": None, "of_region": False}
        return {name: value for name, value in written(self).items() if name not in added or value != added[name]}

    @classmethod
    def learn(
        cls,
        kind: Literal["constant", "free"],
        captures: Iterable[tuple[str, np.ndarray]],
        triggers: tuple[int, ...] | None = None,
        inside: np.ndarray | None = None,
    ) -> Self:
        """captures: ids and images, [N, C, H, W], of good ones whose lights were all in order. triggers: as of Motion.

        inside: [H, W] bool, the region of interest, whose motion is learned; None: that of the middle of the picture.

        Raises DatasetError: pictures that show nothing alike, shifts larger than a quarter of the picture or, of one of
        more than 512 px, than 128 px, or captures of several sizes.
        """
        found: list[np.ndarray] = []
        size: tuple[int, ...] = ()
        for id, images in captures:
            if images.shape[-2:] != (size := size or images.shape[-2:]):
                raise DatasetError(
                    f"capture {id}: {images.shape[-1]}×{images.shape[-2]}, others are {size[1]}×{size[0]}; motion is "
                    f"learned from captures of one size"
                )
            shifts, agreement = estimate_shifts(images, inside)
            if agreement.min() < LEAST:
                where, larger = (" in the region", ", draw a larger region") if inside is not None else ("", "")
                raise DatasetError(
                    f"capture {id}: image {int(agreement.argmin()) + 1} shows too little of what the others show"
                    f"{where} to be registered; take it out if it is bad{larger}, or train with motion: none"
                )
            if (large := _too_large(shifts, images.shape)).any():
                (x, y), (right, down) = shifts[large.argmax()], _most(images.shape)
                raise DatasetError(
                    f"capture {id}: image {int(large.argmax()) + 1} is shifted by {x:.0f}, {y:.0f} px, more than the "
                    f"{right:g}, {down:g} px up to which shifts are found; check the trigger, and that all images are "
                    f"of one part"
                )
            found.append(shifts)
        each = np.stack(found)
        median = np.median(each, 0)
        expected = at_constant_velocity(each, triggers) if kind == "constant" else median
        left = float(np.linalg.norm(each - expected, axis=-1).max())
        return cls(
            kind=kind,
            shifts=tuple((round(float(x), 3), round(float(y), 3)) for x, y in median - median.mean(0)),
            limit=round(max(MARGIN * left, LEAST_LIMIT), 3),
            triggers=triggers,
            farthest=round(float(np.linalg.norm(expected - expected.mean(-2, keepdims=True), axis=-1).max()), 3),
            height=size[0],
            width=size[1],
            of_region=inside is not None,
        )

    def problem(self, images: np.ndarray) -> tuple[str, str] | None:
        """Why it was not learned from such pictures, [..., H, W], and the fix."""
        if self.height is None or images.shape[-2:] == (self.height, self.width):
            return None
        found = f"{images.shape[-1]}×{images.shape[-2]}"
        what = f"{found}, but motion was learned from captures of {self.width}×{self.height}"
        return what, "take it at that size, or train a model for this one"

    def register(
        self, images: np.ndarray, absent: Collection[int] = (), inside: np.ndarray | None = None
    ) -> Registered:
        """images: [N, C, H, W]. A light that does not fit the others' motion is named, and moved as they say.

        inside: [H, W] bool, the region of interest; it counts where motion was learned of one.
        absent: lights that are known to be out of order; they are moved, and not named. Neither they nor lights that
        show nothing of what the others show have a say in how those moved. Where the others' motion is larger than the
        shifts that are found, or clearly than any in training, no light is trusted: what comes in at the border was
        seen under none.
        """
        inside = inside if self.of_region else None
        found, heard = np.zeros((len(images), 2)), [k for k in range(len(images)) if k not in absent]
        found[heard], agreement = estimate_shifts(images[heard], inside)
        alike = [k for k, agrees in zip(heard, agreement, strict=True) if agrees >= LEAST]
        if 1 < len(alike) < len(heard):
            heard = alike
            found[heard], agreement = estimate_shifts(images[heard], inside)
            alike = [k for k, agrees in zip(heard, agreement, strict=True) if agrees >= LEAST]
        learned = np.array(self.shifts)
        expected = learned + np.median(found[heard] - learned[heard], 0)
        if self.kind == "constant" and len(heard) > 1:
            expected = at_constant_velocity(found, self.triggers, heard)
        moved = (np.linalg.norm(found - expected, axis=1) > self.limit) | [k not in alike for k in range(len(images))]
        undone = expected if self.kind == "constant" else np.where(moved[:, None], expected, found)
        undone = undone - undone.mean(0)
        if _too_large(undone, images.shape).any():
            moved[:], undone = True, learned
        elif self._farther(undone):
            moved[:] = True
        moved[list(absent)] = False
        return Registered(move_back(images, undone), undone, tuple(int(k) for k in np.flatnonzero(moved)))

    def _farther(self, undone: np.ndarray) -> bool:
        """Whether parts moved clearly farther than in training; free shifts are held against training one by one."""
        if self.kind == "free" or self.farthest is None:
            return False
        least, share = FASTER
        return float(np.linalg.norm(undone, axis=1).max()) > self.farthest + max(least, share * self.farthest)


def seen_shifts(captures: Iterable[np.ndarray]) -> tuple[np.ndarray, float]:
    """[N, 2], the median over some captures, [N, C, H, W] each, and how well lights agree; see `estimate_shifts`."""
    shifts, agreement = zip(*map(estimate_shifts, captures), strict=True)
    return np.median(shifts, 0), float(np.median([light.min() for light in agreement]))


def shifts_in_words(names: Sequence[str], shifts: np.ndarray, agreement: float) -> str:
    """In words. shifts, agreement: from `seen_shifts`."""
    if agreement < LEAST:
        return "shifts between lights cannot be told: they show too little alike"
    largest = float(np.linalg.norm(shifts - np.median(shifts, 0), axis=1).max())
    if largest < STILL:
        return f"lights lie on each other, to {largest:.2f} px"
    each = ", ".join(f"{name} {x:+.1f} {y:+.1f}" for name, (x, y) in zip(names, shifts, strict=True))
    return f"lights are shifted against each other, px right and down: {each}; see motion under imaging in lights.yaml"


def at_constant_velocity(
    shifts: np.ndarray, triggers: tuple[int, ...] | None = None, heard: Sequence[int] | None = None
) -> np.ndarray:
    """[..., N, 2] as the one velocity has them that most pairs of lights agree on, so that no single light decides.

    triggers: as of Motion. heard: the lights that have a say, at least two of several; None: all.
    """
    n = shifts.shape[-2]
    if n == 1:
        return np.zeros_like(shifts)
    which = np.arange(n) if heard is None else np.array(heard)
    first, second = (which[index] for index in np.triu_indices(len(which), 1))
    times = np.arange(n) if triggers is None else np.array(triggers)
    slopes = (shifts[..., second, :] - shifts[..., first, :]) / (times[second] - times[first])[:, None]
    velocity = np.median(slopes, -2)
    moved = (times - times.mean())[:, None] * velocity[..., None, :]
    return moved + np.median((shifts - moved)[..., which, :], -2, keepdims=True)


def _too_large(shifts: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """[N] bool."""
    return (np.abs(shifts) > _most(shape)).any(1)


def _most(shape: tuple[int, ...]) -> np.ndarray:
    """x, y in pixels, up to which shifts between pictures of a shape, [..., H, W], are found."""
    return MOST * np.minimum(shape[-2:], WINDOW)[::-1]

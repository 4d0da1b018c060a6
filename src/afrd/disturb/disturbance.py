"""Disturbances by name, with a strength: parsed, drawn from a seed, applied to captures of 8 or 16 bits.

    apply(capture.images, "noise:2", np.random.default_rng(0))

A name alone takes its usual strength. Knows no data set and no method.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from afrd.capture import CHANNELS, Capture
from afrd.disturb import effects
from afrd.disturb.dust import dust
from afrd.errors import DisturbanceError


@dataclass(frozen=True)
class Kind:
    """A kind of disturbance.

    title: in a table, with {} for the strength. default: its strength where none is given.
    low, high: the range of strengths; whole: whole numbers only.
    effect: see `effects`. mask_effect: the same for masks [H, W], where the part itself moves.
    each_light: one light after the other comes out as all at once, and takes less memory.
    """

    name: str
    title: str
    default: float
    low: float
    high: float
    effect: Callable[[np.ndarray, float, np.random.Generator], np.ndarray]
    whole: bool = False
    mask_effect: Callable[[np.ndarray, float, np.random.Generator], np.ndarray] | None = None
    each_light: bool = False


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("noise", "noise σ {}/255", 2, 0, 128, effects.noise, each_light=True),
        Kind("jpeg", "JPEG {}", 90, 1, 100, effects.jpeg, whole=True, each_light=True),
        Kind("blur", "blur {} px", 0.7, 0.1, 20, effects.blur, each_light=True),
        Kind("gain", "all lights × {}", 0.8, 0.05, 20, effects.gain, each_light=True),
        Kind("gain-one", "one light × {}", 0.8, 0.05, 20, effects.gain_of_one),
        Kind("hot", "{} hot pixel(s)", 1, 1, 10_000, effects.hot_pixels, whole=True),
        Kind("shift", "shifts of 0 to {} px", 2, 0.01, 50, effects.shift),
        Kind("dust", "{} specks of dust", 10, 1, 1000, dust, whole=True),
        Kind("moved", "moved by {} px", 4, 1, 200, effects.moved, whole=True, mask_effect=effects.moved_mask),
    )
}

STANDARD = (
    "noise:2",
    "jpeg:90",
    "blur:0.7",
    "hot:1",
    "gain:0.8",
    "gain-one:0.8",
    "shift:2",
    "shift:1",
    "dust:10",
    "moved:4",
)
"""Those that methods are compared under."""


@dataclass(frozen=True, order=True)
class Disturbance:
    """kind: one of KINDS. strength: in its unit. Raises DisturbanceError: another kind, or out of its range."""

    kind: str
    strength: float

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise DisturbanceError(f"disturbance {self.kind!r}: unknown; there are {_known()}")
        kind, strength = KINDS[self.kind], self.strength
        if not kind.low <= strength <= kind.high or (kind.whole and strength != int(strength)):
            expected = f"{'a whole number' if kind.whole else 'a number'} from {kind.low:g} to {kind.high:g}"
            raise DisturbanceError(f"disturbance {self.kind}: strength {strength:g}; expected {expected}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """From "noise:2", or "noise" for its usual strength. Raises DisturbanceError."""
        name, separator, strength = str(text).partition(":")
        name = name.strip()
        if name not in KINDS:
            raise DisturbanceError(f"disturbance {name!r}: unknown; there are {_known()}")
        if not separator:
            return cls(name, float(KINDS[name].default))
        try:
            return cls(name, float(strength))
        except ValueError:
            raise DisturbanceError(
                f"disturbance {text!r}: {strength!r} is no strength; write {name}:{KINDS[name].default:g}"
            ) from None

    def __str__(self) -> str:
        return f"{self.kind}:{self.strength:g}"

    @property
    def title(self) -> str:
        """In words, for a table."""
        return KINDS[self.kind].title.format(f"{self.strength:g}")

    def rng(self, seed: int, capture: str) -> np.random.Generator:
        """For one capture, by its id; the same whatever else is disturbed."""
        return np.random.default_rng([seed, zlib.crc32(str(self).encode()), zlib.crc32(capture.encode())])


def apply(
    images: np.ndarray, disturbance: Disturbance | str, rng: np.random.Generator, *, full_scale: int | None = None
) -> np.ndarray:
    """Disturbed copies of a capture's images, of the same shape and type.

    images: [N, C, H, W] uint8 or uint16, C 3 or 1. full_scale: the largest value that the camera writes, such as 4095
    for 12 bits in uint16; None for all that the type holds. Strengths are relative to it, results are clipped to it.
    Where the three channels are equal (a grey camera) they stay equal.
    Raises DisturbanceError: unknown, out of range, or pixels above the full scale; `dust` where no belt is to be seen.
    """
    if not isinstance(disturbance, Disturbance):
        disturbance = Disturbance.parse(disturbance)
    if images.ndim != 4 or images.shape[1] not in CHANNELS or images.dtype not in (np.uint8, np.uint16):
        raise DisturbanceError(
            f"images of shape {list(images.shape)} {images.dtype}; expected [N, 3, H, W], uint8 or uint16"
        )
    scale = np.iinfo(images.dtype).max if full_scale is None else full_scale
    if images.max(initial=0) > scale:
        raise DisturbanceError(f"a pixel of {images.max()} above the full scale of {scale}; pass the camera's own")
    channels = images.shape[1]
    grey = all(np.array_equal(images[:, 0], images[:, k]) for k in range(1, channels))
    kind, disturbed = KINDS[disturbance.kind], np.empty(images.shape, images.dtype)
    together = 1 if kind.each_light else max(len(images), 1)
    for first in range(0, len(images), together):
        some = slice(first, first + together)
        values = images[some, : 1 if grey else channels].astype(np.float32) / np.float32(scale)
        changed = kind.effect(values, disturbance.strength, rng)
        disturbed[some] = np.rint(changed.clip(0, 1) * np.float32(scale))
    return disturbed


def disturb_capture(capture: Capture, disturbance: Disturbance, seed: int = 0) -> Capture:
    """The same part as a disturbed station sees it, masks moved along; what is drawn goes by seed and the capture's id.

    capture: in the common form, in which white is the largest value of the type (`afrd.imaging.pixels`).
    Raises DisturbanceError as `apply`.
    """
    try:
        images = apply(capture.images, disturbance, disturbance.rng(seed, capture.id))
    except DisturbanceError as error:
        raise DisturbanceError(f"capture {capture.id}: {error}") from None
    masks = {name: follow(mask, disturbance, seed, capture.id) for name, mask in capture.defect_masks.items()}
    mask = None if capture.mask is None else follow(capture.mask, disturbance, seed, capture.id)
    return replace(capture.with_images(images), mask=mask, defect_masks=masks)


def follow(mask: np.ndarray, disturbance: Disturbance, seed: int, capture: str) -> np.ndarray:
    """A mask [H, W] bool of the capture of that id, where `disturb_capture` puts it."""
    effect = KINDS[disturbance.kind].mask_effect
    return mask if effect is None else effect(mask, disturbance.strength, disturbance.rng(seed, capture))


def _known() -> str:
    return ", ".join(f"{kind.name}:{kind.default:g}" for kind in KINDS.values())

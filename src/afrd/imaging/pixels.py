"""What the numbers in a camera's files mean: bit depth, black level, transfer curve.

Everything after reading works on one form, in which white is the largest value of the type and values are coded as in
sRGB (IEC 61966-2-1): it is what the networks were trained on and what screens show. Pictures that are so already stay
as they are, bit by bit.
"""

from functools import lru_cache
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

DEPTHS = (8, 10, 12, 14, 16)  # bits that cameras give
Transfer = Literal["srgb", "linear"]


class Pixels(BaseModel):
    """bits: of a value, so that white is 2^bits - 1; files of more than 8 bits hold them in 16, in the lowest.

    black: value of no light. transfer: srgb, or linear where values are proportional to light.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    bits: int = Field(ge=8, le=16)
    black: int = Field(0, ge=0)
    transfer: Transfer = "srgb"

    @model_validator(mode="after")
    def _black_below_white(self) -> "Pixels":
        if self.black >= self.white:
            raise ValueError(f"black {self.black}: expected less than white, {self.white} at {self.bits} bits")
        return self

    def __str__(self) -> str:
        black = f", black at {self.black}" if self.black else ""
        return f"{self.bits}-bit {self.transfer} values{black}"

    @property
    def white(self) -> int:
        """The largest value there is."""
        return 2**self.bits - 1

    @property
    def as_they_are(self) -> bool:
        """Whether files hold the common form already."""
        return self.bits in (8, 16) and not self.black and self.transfer == "srgb"

    def problem(self, images: np.ndarray) -> tuple[str, str] | None:
        """Why pictures cannot be of these pixels, and the fix; None where they can. images: uint8 or uint16."""
        if images.dtype == np.uint8 and self.bits > 8:
            return f"8-bit, where {self.bits} bits are expected", "save it at the camera's full depth, as the others"
        highest = int(images.max(initial=0)) if images.dtype != np.uint8 and self.bits < 16 else 0
        if highest > self.white:
            what = f"values up to {highest}, where {self.bits} bits (up to {self.white}) are expected"
            return (
                what,
                "take it at the depth of the others, or say in lights.yaml how deep all are, and train anew",
            )
        return None

    def common(self, images: np.ndarray) -> np.ndarray:
        """images: any shape, uint8 or uint16, without a `problem`. Returns them in the common form, in the same shape.

        uint8 stays uint8 unless it is linear, whose dark values 8 bits could not tell apart.
        """
        if self.as_they_are and (images.dtype == np.uint8) == (self.bits == 8):
            return images
        table = _table(self.bits, self.black, self.transfer)
        return table[images]


@lru_cache
def _table(bits: int, black: int, transfer: Transfer) -> np.ndarray:
    """The common form of each value, uint8 or uint16."""
    light = np.clip((np.arange(2**bits) - black) / (2**bits - 1 - black), 0, 1)
    coded = to_srgb(light) if transfer == "linear" else light
    kind = np.uint8 if bits == 8 and transfer == "srgb" else np.uint16
    table = np.rint(coded * np.iinfo(kind).max).astype(kind)
    table.setflags(write=False)
    return table


def to_srgb(linear: np.ndarray) -> np.ndarray:
    """The sRGB transfer curve of values clipped to 0..1."""
    linear = np.clip(linear, 0.0, 1.0)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def to_linear(srgb: np.ndarray) -> np.ndarray:
    """The inverse of `to_srgb`, for values in 0..1."""
    srgb = np.asarray(srgb, dtype=np.float64)
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def likely_bits(highest: int) -> int:
    """The fewest bits of a camera that 16-bit files with this largest value can have."""
    return next(bits for bits in DEPTHS if highest < 2**bits)

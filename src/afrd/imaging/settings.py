"""What a user says about the camera's pictures, and what a model was trained with.

`ImagingOptions` stands under `imaging:` in lights.yaml and in the options of `afrd train`, which come first. `Imaging`
is what became of it at training; it travels in the card, so that nothing need be said again.
"""

from collections.abc import Collection
from typing import Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from afrd.imaging import dead_pixels
from afrd.imaging.alignment import Alignment
from afrd.imaging.cells import channel_means
from afrd.imaging.gain import Gain
from afrd.imaging.motion import Motion, Registered
from afrd.imaging.pixels import Pixels, Transfer
from afrd.imaging.region import MovedRegion, Region, Shapes, fill
from afrd.imaging.tiles import LEAST, MOST, STRIDE, WIDE, Tiling, tiles_of

COARSE = 2  # captures so many times as large as the model sees them lose small defects
_REPAIRED = {False: "", True: ", dead pixels replaced", "hot": ", hot pixels replaced"}


class ImagingOptions(BaseModel):
    """None where nothing is said.

    bits: of a value in 16-bit files; not said, it follows from the values. black, transfer: see `Pixels`.
    motion: of parts from light to light: see `Motion`; none, as where nothing is said: pictures are taken as they lie.
    roi: where the part is looked at: shapes, the path of a mask or of a YAML file of shapes, or "auto".
    align: part lets the region follow the part, from where it lies in the first capture: see `Alignment`.
    tile: side of the squares, in pixels, in which a capture is looked at; overlap: of neighbours. resolution: the same
        by how many pixels a place of the map is wide. smallest_defect: in pixels, from which the tile follows where
        neither is said. Without any of them a capture is looked at as one square.
    dead_pixels: of single pixels that stand out under every light hot (as where nothing is said) replaces those at full
        scale, repair all, keep none: see `dead_pixels`.
    gain: rig takes out by how much all lights together are brighter or darker than in training: see `Gain`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    bits: int | None = Field(
        None, ge=8, le=16, description="Of a value in 16-bit files; left out, it follows from the values."
    )
    black: int | None = Field(None, ge=0, description="Value of no light.")
    transfer: Transfer | None = Field(None, description="srgb, or linear: values are proportional to light.")
    motion: Literal["none", "constant", "free"] | None = Field(
        None, description="Of parts from light to light: none, constant (one velocity), free (a shift for each light)."
    )
    tile: int | None = Field(
        None, ge=LEAST, description="Look at captures in squares of so many pixels, each resized to the image size."
    )
    resolution: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="Pixels of the camera for a place of the map, instead of the tile.",
    )
    overlap: int | None = Field(None, ge=0, description="Of neighbouring tiles, pixels; left out, an eighth of a tile.")
    smallest_defect: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="Pixels; the tile follows from it, so that such a defect is two places wide.",
    )
    dead_pixels: Literal["keep", "hot", "repair"] | None = Field(
        None,
        description="Single pixels that stand out under every light: hot replaces those at full scale, as if left out; "
        "repair all, and a defect may be so small; keep none.",
    )
    gain: Literal["none", "rig"] | None = Field(
        None, description="rig: take out by how much all lights together are brighter or darker than in training."
    )
    align: Literal["none", "part"] | None = Field(
        None, description="part: the region of interest follows the part, from where it lies in the first capture."
    )
    roi: Shapes | str | None = Field(
        None, description="Where the part is looked at: a mask, a YAML file of polygons and rectangles, or auto."
    )

    @property
    def repairs_on_reading(self) -> Literal["hot", False]:
        """What is replaced in any capture that is read, before anything is learned: see `Imaging.repairs`."""
        return "hot" if self.dead_pixels in (None, "hot") else False

    @model_validator(mode="after")
    def _one_scale(self) -> Self:
        if self.tile and self.resolution:
            raise ValueError("tile and resolution say the same in two ways; give one of them")
        return self

    def over(self, others: "ImagingOptions") -> Self:
        """What is said here, and of the rest what is said there."""
        unsaid = {name: getattr(others, name) for name in type(self).model_fields if getattr(self, name) is None}
        if self.tile or self.resolution:  # which say the same
            unsaid |= {"tile": self.tile, "resolution": self.resolution}
        return self.model_copy(update=unsaid)


class Imaging(BaseModel):
    """pixels: what the values of its captures were read as. motion: what is undone; None: nothing.

    region: where is looked at; None: everywhere. tiling: the tiles in which; None: a capture is one square.
    alignment: how the region follows the part; None: it stays. repairs: whether dead pixels are replaced, or hot ones
        alone. gain: what is taken out of a capture's brightness; None: nothing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    pixels: Pixels
    motion: Motion | None = None
    region: Region | None = None
    tiling: Tiling | None = None
    alignment: Alignment | None = None
    repairs: bool | Literal["hot"] = False
    gain: Gain | None = None

    def __str__(self) -> str:
        motion = f", {self.motion.kind} motion" if self.motion else ""
        tiles = f", tiles of {self.tiling.tile} px" if self.tiling else ""
        follows = " that follows the part" if self.alignment else ""
        region = f", a region of interest{follows}" if self.region else ""
        others = region + _REPAIRED[self.repairs]
        gain = ", the rig's gain taken out" if self.gain else ""
        return f"{self.pixels}{motion}{others}{tiles}{gain}"

    @property
    def only_values(self) -> bool:
        """Whether pictures are otherwise taken as they lie, but for hot pixels."""
        return self.repairs is not True and self == Imaging(pixels=self.pixels, repairs=self.repairs)

    def problem(self, images: np.ndarray) -> tuple[str, str] | None:
        """Why these pictures, uint8 or uint16, [..., H, W], cannot be seen so, and the fix; None where they can."""
        return self.pixels.problem(images) or self.size_problem(images)

    def size_problem(self, images: np.ndarray) -> tuple[str, str] | None:
        """The same of their size alone."""
        parts = (self.region, self.tiling, self.motion)
        return next((found for part in parts if part and (found := part.problem(images))), None)

    def looked_at(self, size: int) -> np.ndarray | None:
        """[size, size] bool, of the square at which a model sees a capture; None: everywhere, in tiles, or it moves."""
        return self.region.at((size, size)) if self.region and not (self.tiling or self.alignment) else None

    @property
    def tiles(self) -> int:
        """How many squares a capture is to the model."""
        return len(self.tiling) if self.tiling else 1

    def resolution(self, image_size: int, size: tuple[int, int], defect: float | None = None) -> str:
        """How finely captures of a size, height and width, are looked at, in words.

        defect: the smallest, in pixels; where it is too few places wide, the resolution that fits is named.
        """
        tile = self.tiling.tile if self.tiling else max(size)
        place = tile * STRIDE / image_size
        squares = f"{self.tiles} tiles of {tile} px" if self.tiling else "one square"
        words = f"captures of {size[1]}×{size[0]} px are looked at as {squares}; a place of the map is {place:.3g} px"
        if not defect:
            if not self.tiling and place > STRIDE * COARSE:
                words += (
                    f": defects of less than {WIDE * place:.3g} px are hardly seen; say how large the smallest is, "
                    f"--smallest-defect PX, and tiles are chosen for it"
                )
            return words
        words += f", a defect of {defect:g} px is {defect / place:.2g} places wide"
        fitting = max(LEAST, round(defect * image_size / (WIDE * STRIDE)))
        tiles = tiles_of(size, fitting, None)
        if fitting >= tile or tiles is None or len(tiles) > MOST:
            return words
        finer = fitting * STRIDE / image_size
        return f"{words}; with --resolution {finer:.4g}, tiles of {fitting} px, it is {defect / finer:.2g}"

    def cut(self, images: np.ndarray, faulty: Collection[int] = ()) -> list[np.ndarray]:
        """images: as seen, [N, C, H, W]. Returns what the model looks at, one after the other.

        faulty: lights that are out of order, which tell nothing of the rig's gain.
        """
        images = self.gain.taken_out(images, faulty) if self.gain else images
        return self.tiling.cut(images) if self.tiling else [images]

    def join(self, maps: np.ndarray, moved: Region | MovedRegion | None = None) -> np.ndarray:
        """maps: [T, S, S] of what was cut. Returns that of the capture at the same scale, 0 outside of the region.

        moved: the region as this capture's part has it, where it follows the part; None: everywhere.
        """
        joined = self.tiling.join(maps) if self.tiling else maps[0]
        region = (
            moved if self.alignment else self.region if self.tiling else None
        )  # in one square a model leaves it out
        return joined * region.at(joined.shape) if region else joined

    def see(self, images: np.ndarray, absent: Collection[int] = ()) -> Registered:
        """images: [N, C, H, W] as the camera gives them, without a `problem`; as everything after sees them.

        absent: lights that are known to be out of order, which tell nothing of how the others moved.
        """
        return self.see_common(self.pixels.common(images), absent)

    def see_common(self, images: np.ndarray, absent: Collection[int] = ()) -> Registered:
        """images: in the common form already."""
        images, replaced = dead_pixels.replace(images, self.repairs == "hot", absent) if self.repairs else (images, ())
        inside = self.region.inside if self.region else None
        seen = (
            self.motion.register(images, absent, inside)
            if self.motion
            else Registered(images, np.zeros((len(images), 2)), ())
        )
        seen = seen._replace(replaced=replaced, region=self.region)
        if self.region and self.alignment:
            moved = self.alignment.follow(self.region, seen.images)
            seen = seen._replace(region=moved, lost=moved is None or moved.seen < self.alignment.least_seen)
        if seen.region is None:
            return seen
        return seen._replace(images=fill(seen.images, seen.region.inside), cells=channel_means(seen.images))

"""A large picture as tiles of one size, and the tiles' maps as one map without seams.

Tiles overlap, and a map's weight falls to nothing towards a border at which another tile goes on: what a network sees
at the border of its picture, it sees half. All sizes in pixels; tiles are square, and spread evenly, so that all lie
within the picture.
"""

from functools import cached_property
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from afrd.errors import DatasetError
from afrd.imaging.region import Region

STRIDE = 8  # pixels at the model's size of one of the places that it decides about
LEAST = 32  # pixels, of a tile's side
WIDE = 2  # places that the smallest defect should be wide
OVERLAP = 1 / 8  # of a tile, where nothing else is said
MOST = 4096  # tiles of a capture; more take minutes for each, and were hardly meant


class Tiling(BaseModel):
    """Where the tiles of a picture of height × width lie.

    tile: side; not larger than the picture. overlap: of neighbours, at least. kept: indices of the tiles that are
    looked at, row by row; None: all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    height: int = Field(gt=0)
    width: int = Field(gt=0)
    tile: int = Field(gt=0)
    overlap: int = Field(ge=0)
    kept: tuple[int, ...] | None = None

    def within(self, region: Region) -> Self:
        """Without the tiles that hold nothing of the region."""
        side = self.tile
        kept = [k for k, (y, x) in enumerate(self.corners) if region.inside[y : y + side, x : x + side].any()]
        return type(self)(**self.model_dump(exclude={"kept"}), kept=tuple(kept))

    @cached_property
    def corners(self) -> list[tuple[int, int]]:
        """y, x of the upper left corner of each tile that is looked at, row by row."""
        every = [(y, x) for y in self._starts(self.height) for x in self._starts(self.width)]
        return every if self.kept is None else [every[k] for k in self.kept]

    def __len__(self) -> int:
        return len(self._starts(self.height)) * len(self._starts(self.width)) if self.kept is None else len(self.kept)

    def _starts(self, length: int) -> list[int]:
        count = max(1, -(-(length - self.overlap) // (self.tile - self.overlap)))
        return [round(i * (length - self.tile) / max(count - 1, 1)) for i in range(count)]

    def problem(self, images: np.ndarray) -> tuple[str, str] | None:
        """Why pictures, [..., H, W], are not those that it is for, and the fix."""
        if images.shape[-2:] == (self.height, self.width):
            return None
        what = f"{images.shape[-1]}×{images.shape[-2]}, but the model's captures are {self.width}×{self.height}"
        return what, "take it at that size, or train a model with tiles for this one"

    def cut(self, images: np.ndarray) -> list[np.ndarray]:
        """images: [..., height, width]. Returns views, [..., tile, tile] each."""
        return [images[..., y : y + self.tile, x : x + self.tile] for y, x in self.corners]

    def join(self, maps: np.ndarray) -> np.ndarray:
        """maps: [T, S, S] of the tiles. Returns one map at their scale, [height · S / tile, width · S / tile].

        0 where no tile looked.
        """
        side = maps.shape[-1]
        scale = side / self.tile
        size = round(self.height * scale), round(self.width * scale)
        total, weights = np.zeros(size, np.float32), np.zeros(size, np.float32)
        for (y, x), one in zip(self.corners, maps, strict=True):
            top, left = min(round(y * scale), size[0] - side), min(round(x * scale), size[1] - side)
            place = np.s_[top : top + side, left : left + side]
            weight = np.outer(self._ramp(y, self.height, side), self._ramp(x, self.width, side)).astype(np.float32)
            total[place] += weight * one
            weights[place] += weight
        return np.divide(total, weights, out=total, where=weights > 0)

    def _ramp(self, start: int, length: int, side: int) -> np.ndarray:
        """Weight along one axis: over the overlap it rises from a border at which another tile goes on."""
        over = max(1.0, self.overlap * side / self.tile)
        at = np.arange(side) + 0.5
        ramp = np.ones(side)
        if start > 0:
            ramp = np.minimum(ramp, at / over)
        if start + self.tile < length:
            ramp = np.minimum(ramp, at[::-1] / over)
        return ramp.clip(1e-6, 1)


def tile_for(smallest_defect: float, image_size: int) -> int:
    """The tile in which a defect of this size is two places wide; pictures are not enlarged for it."""
    return max(image_size, round(smallest_defect * image_size / (WIDE * STRIDE)))


def tiles_of(size: tuple[int, int], tile: int, overlap: int | None) -> Tiling | None:
    """size: of the captures. None where one tile holds all of a capture.

    Raises DatasetError: an overlap that is as large as the tile.
    """
    if tile >= max(size):
        return None
    tile = min(tile, *size)
    overlap = round(tile * OVERLAP) if overlap is None else overlap
    if overlap >= tile:
        raise DatasetError(f"overlap {overlap}: expected less than the tile, which is {tile} px")
    return Tiling(height=size[0], width=size[1], tile=tile, overlap=overlap)


def score(anomaly_map: np.ndarray, top_share: float = 0.0) -> float:
    """`afrd.model.anomaly_map.score` of a map that was put together."""
    k = max(1, round(top_share * anomaly_map.size))
    return float(np.partition(anomaly_map.ravel(), -k)[-k:].mean(dtype=np.float64))

"""Where on the picture the part is looked at. What lies outside is not seen: not learned, not scored, not shown.

A region is given as shapes in pixels, as a mask, or found from good captures. In the card it is a mask at the
captures' size, so that nothing beside the card is needed.
"""

import base64
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Annotated, NamedTuple, Self

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from afrd.errors import DatasetError
from afrd.imaging.interleaved import interleaved

AUTO = "auto"
COARSE = 128  # pixels of the longer side, at which `auto` looks
AROUND = 0.03  # of the longer side, by which `auto` widens what it found
LEAST_CHANGE = 0.02  # of a logarithm, below which nothing differs
BELT, LEAST_BELT = 0.6, 0.15  # see `belt_share`; on ten rendered classes 0.32 to 0.43, without a belt 0.77 and more
LOOKED_AT = 12  # captures, in which a belt is looked for
Number = Annotated[float, Field(allow_inf_nan=False)]  # a shape with NaN would hold no pixel
Point = Annotated[list[Number], Field(min_length=2, max_length=2)]


class Shape(BaseModel):
    """polygon: corners x, y in pixels. rectangle: left, top, width, height. One of the two."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    polygon: Annotated[list[Point], Field(min_length=3)] | None = None
    rectangle: Annotated[list[Number], Field(min_length=4, max_length=4)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.polygon is None) == (self.rectangle is None):
            raise ValueError("expected either a polygon or a rectangle")
        if self.rectangle is not None and min(self.rectangle[2:]) <= 0:
            raise ValueError("a rectangle is left, top, width, height; expected a width and a height above 0")
        return self

    def corners(self) -> np.ndarray:
        """[P, 2] x, y."""
        if self.polygon is not None:
            return np.array(self.polygon, float)
        left, top, width, height = self.rectangle
        return np.array([[left, top], [left + width, top], [left + width, top + height], [left, top + height]], float)


class Shapes(BaseModel):
    """What is looked at, everywhere where nothing is said, and what of it is not."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    include: tuple[Shape, ...] = ()
    ignore: tuple[Shape, ...] = ()

    def drawn(self, size: tuple[int, int], where: str) -> np.ndarray:
        """[H, W] bool: pixels whose centres lie inside. Raises DatasetError: a shape that reaches outside."""
        inside = np.full(size, not self.include)
        for value, shapes in ((1, self.include), (0, self.ignore)):
            for number, shape in enumerate(shapes, 1):
                corners = shape.corners()
                if (corners < 0).any() or (corners > np.array(size)[::-1]).any():
                    kind = "include" if value else "ignore"
                    raise DatasetError(
                        f"{where}: {kind} {number} reaches from {_pair(corners.min(0))} to {_pair(corners.max(0))}, "
                        f"outside of the picture of {size[1]}×{size[0]}; draw it on a capture at its own size"
                    )
                _draw(inside, corners, bool(value))
        return inside


class Region(BaseModel):
    """mask: of [H, W], as a PNG in base64."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    height: int
    width: int
    mask: str = Field(repr=False)

    @classmethod
    def of(cls, inside: np.ndarray, where: str = "roi") -> Self:
        """inside: [H, W] bool. Raises DatasetError: empty."""
        if not inside.any():
            raise DatasetError(f"{where}: leaves nothing of the picture; mark where the part is looked at")
        data = cv2.imencode(".png", inside.astype(np.uint8) * 255, [cv2.IMWRITE_PNG_BILEVEL, 1])[1]
        return cls(height=inside.shape[0], width=inside.shape[1], mask=base64.b64encode(data).decode())

    @property
    def inside(self) -> np.ndarray:
        """[H, W] bool."""
        return _decoded(self.mask)

    def at(self, size: tuple[int, int]) -> np.ndarray:
        """[*size] bool: the places of a coarser grid that lie inside at least by half."""
        shrunk = cv2.resize(self.inside.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA)
        return shrunk >= 0.5

    def unseen(self, size: tuple[int, int], step: int = 1) -> tuple[int, int, int, int] | None:
        """The first of its pieces that holds no place: left, top, width, height in pixels; None: each holds some.

        size: of a map, which is `at` it. step: of how many of its pixels, each way, a place is; half of them count.
        """
        places = self.at(size).reshape(size[0] // step, step, size[1] // step, step).mean((1, 3)) >= 0.5
        seen = cv2.resize(places.astype(np.uint8), (self.width, self.height), interpolation=cv2.INTER_NEAREST)
        mask = self.inside.astype(np.uint8)
        _, pieces = cv2.connectedComponents(cv2.dilate(mask, np.ones((3, 3))), connectivity=8)  # a thin tip is no piece
        left = np.setdiff1d(pieces, pieces[seen > 0])
        return cv2.boundingRect(mask * (pieces == left[left > 0][0])) if (left > 0).any() else None

    def problem(self, images: np.ndarray) -> tuple[str, str] | None:
        """Why it is not a region of these pictures, and the fix."""
        if images.shape[-2:] == (self.height, self.width):
            return None
        found = f"{images.shape[-1]}×{images.shape[-2]}"
        what = f"{found}, but the region of interest is one of {self.width}×{self.height}"
        return what, "take it at that size, or train with a region for this one"


class MovedRegion(NamedTuple):
    """A region where a part lies that was turned and shifted. matrix: [2, 3], of its pixels to the capture's."""

    region: Region
    matrix: np.ndarray

    @property
    def inside(self) -> np.ndarray:
        """[H, W] bool."""
        size = self.region.width, self.region.height
        moved = cv2.warpAffine(self.region.inside.astype(np.uint8), self.matrix, size, flags=cv2.INTER_NEAREST)
        return moved.astype(bool)

    @property
    def seen(self) -> float:
        """The share of it that lies within the picture; a little above or below 1 where all of it does."""
        return float(self.inside.sum() / self.region.inside.sum())

    def at(self, size: tuple[int, int]) -> np.ndarray:
        """[*size] bool: the places of a coarser grid that it touches, since a turned piece may fill none by half."""
        return cv2.resize(self.inside.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA) > 0


def fill(images: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """[N, C, H, W]: outside every light shows its own mean of what is inside, so that nothing there is seen."""
    filled, mask, outside = images.copy(order="K"), inside.astype(np.uint8), ~inside
    for light, into in zip(images, filled, strict=True):
        means = cv2.mean(interleaved(light), mask)
        for channel, mean in zip(into, means, strict=False):
            channel[outside] = round(mean)
    return filled


@lru_cache(maxsize=4)
def _decoded(mask: str) -> np.ndarray:
    inside = cv2.imdecode(np.frombuffer(base64.b64decode(mask), np.uint8), cv2.IMREAD_GRAYSCALE) > 0
    inside.setflags(write=False)
    return inside


def find_part(captures: Iterable[np.ndarray]) -> np.ndarray:
    """[H, W] bool: wherever something differs from light to light or part to part, which the belt does not.

    captures: good ones of one size, [N, C, H, W]. Raises DatasetError: nothing differs.
    """
    logs, size = _coarse(captures)
    apart = _differing(logs)
    if apart.max() < LEAST_CHANGE:
        raise DatasetError("roi: auto found no part: nothing differs from capture to capture; draw the region instead")
    return cv2.resize(_part(apart).astype(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST).astype(bool)


def belt_share(captures: Iterable[np.ndarray]) -> float:
    """Share of the picture that lies around the part and hardly changes, as a belt; 0 where there is none.

    captures: as of `find_part`, of any size; of several sizes nothing is said. A belt changes less than BELT times as
    much as the part, and is LEAST_BELT of the picture at least; where one texture fills the picture, what is split off
    changes as much as the rest.
    """
    logs, _ = _coarse(captures)
    if len({one.shape for one in logs}) != 1 or (apart := _differing(logs)).max() < LEAST_CHANGE:
        return 0.0
    much = apart > _level(apart)
    if much.all() or np.median(apart[~much]) > BELT * np.median(apart[much]):
        return 0.0
    share = 1 - float(_part(apart).mean())
    return share if share >= LEAST_BELT else 0.0


def _coarse(captures: Iterable[np.ndarray]) -> tuple[list[np.ndarray], tuple[int, int]]:
    """Logarithms of brightness, [N, h, w] of each capture, at most COARSE wide and high; and the last one's size."""
    logs, size = [], (0, 0)
    for images in captures:
        size = images.shape[-2:]
        scale = COARSE / max(size)
        coarse = tuple(max(8, round(n * min(scale, 1))) for n in size)
        grey = images.mean(1, dtype=np.float32) / np.iinfo(images.dtype).max
        logs.append(np.log(np.stack([cv2.resize(g, coarse[::-1], interpolation=cv2.INTER_AREA) for g in grey]) + 0.02))
    return logs, size


def _differing(logs: Sequence[np.ndarray]) -> np.ndarray:
    """[h, w]: by how much a place differs from light to light and part to part."""
    from scipy import ndimage  # a third of a second to import, which inspection must not wait for

    each = np.stack(logs)  # [M, N, h, w]
    apart = each.mean(1).std(0) + (each - each.mean(1, keepdims=True)).mean(0).std(0)
    return ndimage.gaussian_filter(apart, 1)


def _part(apart: np.ndarray) -> np.ndarray:
    """[h, w] bool: what differs much, without specks, and a margin around it."""
    from scipy import ndimage

    found = ndimage.binary_fill_holes(apart > _level(apart))
    labels, count = ndimage.label(found)
    areas = ndimage.sum_labels(found, labels, range(1, count + 1))
    found = np.isin(labels, 1 + np.flatnonzero(areas >= 0.1 * max(areas)))
    return ndimage.binary_dilation(found, iterations=max(1, round(AROUND * max(found.shape))))


def _level(apart: np.ndarray) -> float:
    """Between what differs much and what does so little (Otsu)."""
    shades = np.rint(255 * apart / apart.max()).astype(np.uint8)
    level, _ = cv2.threshold(shades, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return (level + 0.5) * apart.max() / 255


def _draw(inside: np.ndarray, corners: np.ndarray, value: bool) -> None:
    """Sets the pixels of [H, W] whose centres lie within; some rows at a time, so that memory stays small."""
    from matplotlib.path import Path as MplPath  # slow to import, and few captures have polygons

    outline = MplPath(corners)
    (left, top), (right, bottom) = np.floor(corners.min(0)).astype(int), np.ceil(corners.max(0)).astype(int)
    for first in range(top, bottom, 64):
        rows, columns = np.mgrid[first : min(first + 64, bottom), left:right]
        within = outline.contains_points(np.stack([columns.ravel(), rows.ravel()], 1) + 0.5).reshape(rows.shape)
        inside[first : first + len(rows), left:right][within] = value


def _pair(point: np.ndarray) -> str:
    return f"{point[0]:g}, {point[1]:g}"

"""COCO annotation files (https://cocodataset.org/#format-data): which defects an image shows, and their masks.

Read are polygons and uncompressed run lengths. Knows no layout.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from afrd.datasets.json_file import entries_of, read_json
from afrd.datasets.problems import ProblemError
from afrd.datasets.record import Drawn

_FIX = "write it as COCO instance annotations: images, annotations with segmentation, categories"
_UNPACK = "unpack it to a list of counts, as pycocotools.mask can"
_PARTS = 16  # of a pixel, to which corners of polygons are exact


@dataclass
class Annotated:
    """One image. file_name: as in the file. drawn: its mask per defect type; empty where nothing is annotated."""

    file_name: str
    drawn: dict[str, Drawn] = field(default_factory=dict)


def read_coco(path: Path) -> list[Annotated]:
    """Every image of the file, in its order. Raises ProblemError: no COCO annotations, or a mask that is not read."""
    value = read_json(path, _FIX)
    try:
        names = {entry["id"]: str(entry["name"]) for entry in entries_of(value, "categories", path, _FIX)}
        images = {entry["id"]: entry for entry in entries_of(value, "images", path, _FIX)}
        found = {key: Annotated(str(entry["file_name"])) for key, entry in images.items()}
        sizes = {key: (int(entry["height"]), int(entry["width"])) for key, entry in images.items()}
        shapes: dict[tuple[Any, str], list[Any]] = {}
        for entry in entries_of(value, "annotations", path, _FIX):
            key = entry["image_id"], names[entry["category_id"]]
            shapes.setdefault(key, []).append(_checked(entry["segmentation"], sizes[key[0]], path))
    except (KeyError, TypeError, ValueError) as error:
        raise ProblemError(path, f"incomplete: {error!r}", _FIX) from error
    for (key, defect), each in sorted(shapes.items(), key=lambda item: (str(item[0][0]), item[0][1])):
        found[key].drawn[defect] = _drawn(path, each, sizes[key])
    return list(found.values())


def _checked(segmentation: Any, size: tuple[int, int], path: Path) -> Any:
    """As it is. Raises ProblemError."""
    if isinstance(segmentation, dict):
        counts = segmentation.get("counts")
        if isinstance(counts, str):
            raise ProblemError(path, "a mask of compressed run lengths", _UNPACK)
        if (
            not isinstance(counts, list)
            or tuple(segmentation.get("size", ())) != size
            or sum(counts) != size[0] * size[1]
        ):
            raise ProblemError(path, "run lengths that do not fill their image", _FIX)
        return segmentation
    polygons = segmentation if isinstance(segmentation, list) else None
    if not polygons or not all(isinstance(p, list) and len(p) >= 6 and len(p) % 2 == 0 for p in polygons):
        raise ProblemError(path, "a mask that is no list of polygons of three corners or more", _FIX)
    return [[float(x) for x in polygon] for polygon in polygons]


def _drawn(path: Path, shapes: list[Any], size: tuple[int, int]) -> Drawn:
    return Drawn(path, repr((shapes, size)), _Drawing(shapes, size))


@dataclass(frozen=True)
class _Drawing:
    """Drawn when it is called: [H, W] bool. A class, so that it reaches worker processes."""

    shapes: list[Any]
    size: tuple[int, int]

    def __call__(self) -> np.ndarray:
        mask = np.zeros(self.size, np.uint8)
        for shape in self.shapes:
            if isinstance(shape, dict):  # column by column, the first run is background
                counts = shape["counts"]
                runs = np.repeat(np.arange(len(counts)) % 2, counts).astype(np.uint8)
                mask |= runs.reshape(self.size[::-1]).T
                continue
            for polygon in shape:
                # a pixel's centre lies at half a pixel in COCO, at whole numbers in OpenCV
                corners = np.rint((np.reshape(polygon, (-1, 2)) - 0.5) * _PARTS).astype(np.int32)
                cv2.fillPoly(mask, [corners], 1, shift=4)
        return mask.astype(bool)

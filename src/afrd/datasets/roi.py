"""The region of interest from what a user gives: shapes, a mask, a file of shapes, or nothing but captures."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from afrd.datasets.images import read_header, read_mask
from afrd.datasets.problems import Problem, ProblemError
from afrd.datasets.record import Record
from afrd.datasets.yaml_file import YamlFile
from afrd.errors import DatasetError, complaint
from afrd.imaging.region import AUTO, Region, Shapes, find_part


def read_region(roi: Shapes | str, size: tuple[int, int], captures: Iterable[np.ndarray]) -> Region:
    """roi: shapes, the path of a mask or of a YAML file with shapes, or "auto". size: of the captures.

    captures: good ones, [N, C, H, W], for "auto". Raises DatasetError.
    """
    if isinstance(roi, Shapes):
        return Region.of(roi.drawn(size, "roi"))
    if roi == AUTO:
        return Region.of(find_part(captures), "roi: auto")
    path = Path(roi)
    if path.suffix.lower() in (".yaml", ".yml"):
        return Region.of(read_shapes(path).drawn(size, str(path)), str(path))
    inside = read_mask(path)
    if inside.shape != size:
        raise DatasetError(
            f"{path}: {inside.shape[1]}×{inside.shape[0]}, the captures are {size[1]}×{size[0]}; draw it on one of them"
        )
    return Region.of(inside, str(path))


def region_problems(roi: Shapes | str | None, records: Sequence[Record], said_in: Path) -> list[Problem]:
    """Why a region cannot be one of these captures, of which the first gives the size, as at training.

    said_in: the file that gives or names it. What `auto` would find is not looked for.
    """
    if roi is None or roi == AUTO:
        return []
    try:
        header = read_header(records[0].images[0]) if records else None
    except ProblemError:  # which is told of the image
        header = None
    if header is None:
        return []
    try:
        read_region(roi, (header.height, header.width), ())
    except ProblemError as error:
        return [error.problem]
    except DatasetError as error:
        what, _, fix = str(error).rpartition("; ")
        return [Problem(said_in, what, fix)]
    return []


def read_shapes(path: Path) -> Shapes:
    """Raises DatasetError naming the line."""
    file = YamlFile(path, 'write "include: [{polygon: [[x, y], …]}]" or "{rectangle: [left, top, width, height]}"')
    try:
        return Shapes.model_validate(file.value)
    except ValidationError as error:
        raise file.error(complaint(error), *error.errors()[0]["loc"]) from error

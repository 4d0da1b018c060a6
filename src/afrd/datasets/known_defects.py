"""Defective captures that a user has: some five to fifty, which training may learn from beside the good ones.

    DIR/<defect type>/<id>/<light>.png      with masks, if any, in DIR/masks/<defect type>/<id>.png
    DIR/<id>/<light>.png                    with masks, if any, in DIR/masks/<id>.png
    DIR/test/…                              a data set: the anomalous captures of its test split

File formats, patterns and light names are those of `afrd.datasets.folder`.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from afrd.capture import LightRig
from afrd.datasets.capture_set import CaptureSet, Record, content_digest
from afrd.datasets.dataset import open_dataset
from afrd.datasets.folder import GOOD
from afrd.datasets.headers import header_problems
from afrd.datasets.images import SUFFIXES, read_mask
from afrd.datasets.layout import duplicate_problems, images_in_order
from afrd.datasets.lights import require_lights
from afrd.datasets.listing import entries, files_below, folder_problem, is_folder
from afrd.datasets.pattern import DEFAULT_PATTERN, Pattern
from afrd.datasets.problems import Problem, ProblemError, raise_first
from afrd.errors import DatasetError

TEST_SPLITS = ("test", "test_public")
MASKS = "masks"
UNNAMED = "defect"  # the type of captures that lie in DIR itself
_FIX = "give a folder of defective captures, <defect type>/<id>/<light>.png, or a data set with a test split"


def read_known_defects(
    folder: str | os.PathLike[str], lights: LightRig, *, category: str | None = None, pattern: str | None = None
) -> CaptureSet:
    """The defective captures below a folder, see the module; masks may be given for all, some or none.

    lights: of the captures that are trained on. category: of a data set with several.

    Raises DatasetError: nothing found; other lights; a folder `good`; a mask that marks nothing or belongs to no
    capture; what headers of images show.
    """
    folder = Path(folder)
    problems = [wrong] if (wrong := folder_problem(folder, _FIX)) else []
    raise_first(problems)
    if category and _is_data_set(folder / category):
        folder = folder / category
    if _is_data_set(folder):
        captures = open_dataset(folder, None, "test", pattern=pattern)
        require_lights(captures.lights, lights, folder)
        captures = captures.subset(i for i, record in enumerate(captures.records) if record.anomalous)
        if not len(captures):
            raise ProblemError(folder, "its test split holds good captures only", _FIX)
    else:
        records = _records(folder, lights, pattern, problems)
        problems += duplicate_problems(records)
        problems += [problem for record in records for problem in header_problems(record)]
        raise_first(problems)
        captures = CaptureSet(folder, None, None, lights, records)
    for record in captures.records:
        if record.mask and not read_mask(record.mask).any():
            raise ProblemError(record.mask, "marks nothing", "mark the defect, or remove the mask")
    return captures


def require_no_good_part(known: CaptureSet, good: Iterable[CaptureSet]) -> None:
    """Raises DatasetError: a known defect is a copy of a good capture."""
    seen = {content_digest(record.images[0]): record for captures in good for record in captures.records}
    for record in known.records:
        if copy := seen.get(content_digest(record.images[0])):
            raise DatasetError(
                f"{record.images[0]}: known defect {record.id} is good capture {copy.id} ({copy.images[0]}): take it "
                f"out of one of them"
            )


def _is_data_set(folder: Path) -> bool:
    return any(is_folder(folder / split) for split in TEST_SPLITS)


def _records(folder: Path, lights: LightRig, pattern: str | None, problems: list[Problem]) -> list[Record]:
    files = Pattern(pattern or DEFAULT_PATTERN, lights.names)
    types, _ = entries(folder, problems)
    types = [path for path in types if path.name != MASKS]
    nested = pattern is None and any(_holds_images(path, problems) for path in types)  # DIR/<id>/<light>.png
    if not types:
        raise ProblemError(folder, "holds no captures", _FIX)
    masks = _masks(folder / MASKS, problems)
    records = []
    for place in types:
        if place.name == GOOD:
            problems.append(Problem(place, "good parts among known defects", "take it out: good parts belong to train"))
            continue
        if nested:
            found = {place.name: [(path.stem, path) for path in entries(place, problems)[1] if _is_image(path)]}
            if not found[place.name]:
                problems.append(Problem(place, "holds no image", _FIX))
                continue
        else:
            named, wrong = files.find(place)
            problems += wrong
            found = {str(name): images for name, images in named.items()}
        for capture, images in found.items():
            paths, wrong = images_in_order(
                capture, images, lights.names, lambda light, home=images[0][1].parent: home / f"{light}.png"
            )
            problems += wrong
            kind = UNNAMED if nested else place.name
            mask = masks.pop(Path(capture) if nested else Path(kind, capture), None)
            if paths:
                records.append(Record(f"{kind}-{capture}", paths, True, (kind,), mask, {kind: mask} if mask else {}))
    problems += [
        Problem(path, "mask with no capture", "name it after its capture, or remove it") for path in masks.values()
    ]
    return records


def _masks(folder: Path, problems: list[Problem]) -> dict[Path, Path]:
    """Path below `folder`, without suffix → mask; doubled masks are problems."""
    if not is_folder(folder):
        return {}
    masks: dict[Path, Path] = {}
    for path in files_below(folder, problems):
        own = path.relative_to(folder).with_suffix("")
        if not _is_image(path):
            continue
        if own in masks:
            what = f"a second mask for the capture, beside {masks[own].name}"
            problems.append(Problem(path, what, "remove one of them"))
        else:
            masks[own] = path
    return masks


def _holds_images(folder: Path, problems: list[Problem]) -> bool:
    return any(_is_image(path) for path in entries(folder, problems)[1])


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES

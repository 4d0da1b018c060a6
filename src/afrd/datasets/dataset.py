"""Open or check a data set in any layout.

The layouts scan; here they are told apart, splits are named, and problems are raised (`open_dataset`) or listed
(`check_dataset`).
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

from afrd.datasets.capture_set import CaptureSet, Record, content_problems, header_problems
from afrd.datasets.eyecandies import EYECANDIES
from afrd.datasets.folder import FOLDER
from afrd.datasets.layout import Layout, Scan
from afrd.datasets.pattern import Pattern, visible_subfolders
from afrd.datasets.problems import Problem, raise_first
from afrd.errors import DatasetError

LayoutName = Literal["auto", "eyecandies", "folder"]

_LAYOUTS = {layout.name: layout for layout in (EYECANDIES, FOLDER)}
_SAME_SPLIT = {"test": "test_public", "test_public": "test"}


def open_dataset(
    root: str | os.PathLike[str],
    category: str | None = None,
    split: str = "train",
    *,
    layout: LayoutName = "auto",
    pattern: str | None = None,
) -> CaptureSet:
    """The captures of one split, to be decoded one by one.

    root: the data set, or the folder of one category.
    category: may be left out where there is only one.
    split: a folder's name. `test` and `test_public` stand for each other, so that either names the labelled test
        captures in both layouts.
    layout: "eyecandies" (`afrd.datasets.eyecandies`), "folder" (`afrd.datasets.folder`), or "auto": by what is there.
    pattern: file names below the folder of a label, with `{id}` and `{light}`; folder layout only.

    Raises DatasetError for the first of all problems that file names, labels and image headers show, and says how many
    more there are. Damage inside of images shows when they are decoded; `check_dataset` finds it beforehand.
    """
    root = Path(root)
    name, (found, folder) = _choose(root, category, layout, pattern)
    split = _existing_split(found, folder, split)
    scan = found.scan(root, folder, split, pattern)
    problems = scan.problems + [problem for record in scan.records for problem in header_problems(record)]
    raise_first(problems, f": afrd check {root}")
    assert scan.lights is not None, "a scan without lights has a problem"
    return CaptureSet(root, name, split, scan.lights, scan.records)


def check_dataset(
    root: str | os.PathLike[str],
    category: str | None = None,
    *,
    layout: LayoutName = "auto",
    pattern: str | None = None,
) -> list[Problem]:
    """Every problem of a data set at once, in all splits of all categories (or of one); decodes every file.

    Raises DatasetError where nothing can be checked: no data set, no such category, a pattern that makes no sense.
    """
    root = Path(root)
    chosen = _categories(root, layout, pattern)
    if category is not None:
        name, place = _choose(root, category, layout, pattern)
        chosen = {name: place}
    problems: dict[Problem, None] = {}  # ordered; one about lights.yaml is met in every split
    with ThreadPoolExecutor() as pool:
        for found, folder in chosen.values():
            for scan in _scans(root, found, folder, pattern):
                problems |= dict.fromkeys(scan.problems)
                for of_record in pool.map(_record_problems, scan.records):
                    problems |= dict.fromkeys(of_record)
    return list(problems)


def categories(root: str | os.PathLike[str], *, layout: LayoutName = "auto") -> list[str]:
    """The categories of a data set, sorted; a folder that is itself one category gives its own name.

    Raises DatasetError where there is none.
    """
    return list(_categories(Path(root), layout, None))


def splits(root: str | os.PathLike[str], category: str | None = None, *, layout: LayoutName = "auto") -> list[str]:
    """The splits that a category has, in the order train, val, test. Raises DatasetError as `open_dataset`."""
    _, (found, folder) = _choose(Path(root), category, layout, None)
    return _splits(found, folder)


def _record_problems(record: Record) -> list[Problem]:
    return header_problems(record) + content_problems(record)


def _scans(root: Path, found: Layout, folder: Path, pattern: str | None) -> Iterator[Scan]:
    for split in _splits(found, folder):
        yield found.scan(root, folder, split, pattern)


def _splits(found: Layout, folder: Path) -> list[str]:
    return [split for split in found.splits if (folder / split).is_dir()]


def _existing_split(found: Layout, folder: Path, split: str) -> str:
    there = _splits(found, folder)
    for name in (split, _SAME_SPLIT.get(split)):
        if name in there:
            return name
    raise DatasetError(f"{folder}: no split {split!r}; name one of those there with --split: {', '.join(there)}")


def _choose(
    root: Path, category: str | None, layout: LayoutName, pattern: str | None
) -> tuple[str, tuple[Layout, Path]]:
    found = _categories(root, layout, pattern)
    if category is None and len(found) > 1:
        raise DatasetError(f"{root}: holds several categories; name one with --category: {', '.join(found)}")
    if category is not None and category not in found:
        raise DatasetError(f"{root}: no category {category!r}; name one of those there: {', '.join(found)}")
    name = category or next(iter(found))
    return name, found[name]


def _categories(root: Path, layout: LayoutName, pattern: str | None) -> dict[str, tuple[Layout, Path]]:
    """name → layout and folder."""
    layouts = _layouts(layout, pattern)
    if not root.is_dir():
        what = "is a file" if root.exists() else "no such folder"
        raise DatasetError(f"{root}: {what}; give the folder of a data set")
    folders = [root, *visible_subfolders(root)]
    found = {}
    for folder in folders:
        fitting = next((layout for layout in layouts if layout.is_category(folder)), None)
        if fitting:
            found[folder.resolve().name] = (fitting, folder)
            if folder is root:
                break
    if not found:
        looked_for = " or ".join(f"{layout.looked_for} ({layout.name} layout)" for layout in layouts)
        there = ", ".join(sorted(path.name for path in root.iterdir())[:5]) or "nothing"
        raise DatasetError(f"{root}: no data set; looked for {looked_for}; found {there}")
    return found


def _layouts(layout: LayoutName, pattern: str | None) -> list[Layout]:
    if layout != "auto" and layout not in _LAYOUTS:
        raise DatasetError(f"no layout {layout!r}; choose auto, {' or '.join(_LAYOUTS)}")
    if pattern is None:
        return list(_LAYOUTS.values()) if layout == "auto" else [_LAYOUTS[layout]]
    if layout == "eyecandies":
        raise DatasetError("a pattern is for the folder layout, eyecandies has fixed file names; leave one of them out")
    Pattern(pattern)  # refuse nonsense before anything is looked for
    return [FOLDER]

"""Open or check a data set in any layout.

The layouts scan; here they are told apart, splits are named, and problems are raised (`open_dataset`, `verify`) or
listed (`check_dataset`).
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from afrd.capture import LightRig
from afrd.datasets.capture_set import CaptureSet, OnImage, content_problems
from afrd.datasets.copies import copy_problems
from afrd.datasets.eyecandies import EYECANDIES
from afrd.datasets.folder import FOLDER
from afrd.datasets.headers import header_problems
from afrd.datasets.layout import Layout, shared_group_problems
from afrd.datasets.light_folders import LIGHT_FOLDERS
from afrd.datasets.lights import EYECANDIES_LIGHTS, find_lights_file, read_imaging
from afrd.datasets.listing import entries, folder_problem, name_problem
from afrd.datasets.m2ad import M2AD
from afrd.datasets.mvtec_ad2 import MVTEC_AD2
from afrd.datasets.pattern import Pattern
from afrd.datasets.problems import Problem, ProblemError, raise_first
from afrd.datasets.psad import PSAD
from afrd.datasets.real_iad_d3 import REAL_IAD_D3
from afrd.datasets.record import Record
from afrd.datasets.roi import region_problems
from afrd.datasets.strays import stray_category, stray_splits
from afrd.datasets.vision import VISION
from afrd.errors import DatasetError
from afrd.imaging import Imaging, ImagingOptions
from afrd.progress import Progress

LayoutName = Literal[
    "auto", "eyecandies", "m2ad", "mvtec-ad2", "vision", "real-iad-d3", "psad", "light-folders", "folder"
]

_LAYOUTS = {
    layout.name: layout  # the first that fits is taken: the special before the general
    for layout in (EYECANDIES, M2AD, MVTEC_AD2, VISION, REAL_IAD_D3, PSAD, LIGHT_FOLDERS, FOLDER)
}
_OWN = (EYECANDIES, FOLDER)  # whose paths messages spell out; of the others they give the names
_SAME_SPLIT = {"test": "test_public", "test_public": "test"}
_Place = tuple[Layout, Path]


@dataclass
class _Root:
    """What the folder of a data set holds.

    layouts: those looked for. categories: name → layout and folder. others: the folders that are no category.
    problems: what could not be listed or reached beside them.
    """

    layouts: list[Layout]
    categories: dict[str, _Place] = field(default_factory=dict)
    others: list[Path] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def all_problems(self, *, search: bool) -> list[Problem]:
        """Those of `others` as well; `search` as in `stray_category`."""
        strays = [
            problem for other in self.others for problem in stray_category(_spelt(self.layouts), other, search=search)
        ]
        return self.problems + strays


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
    layout: the name of one, "folder" for your own captures (each is a module of `afrd.datasets`), or "auto": by what
        is there.
    pattern: file names below the folder of a label, with `{id}` and `{light}`, perhaps `{group}` and `{view}`
        (`afrd.datasets.pattern`); folder layout only.

    Raises DatasetError for the first of all problems that folders, file names, labels and image headers show, and says
    how many more there are. Damage inside of images shows when they are decoded; `verify` finds it beforehand.
    """
    root = Path(root)
    name, (found, folder) = _choose(root, category, _contents(root, layout, pattern))
    split = _existing_split(found, folder, split)
    scan = found.scan(folder, split, pattern)
    problems = stray_splits(found, folder, search=False) + scan.problems
    problems += [problem for record in scan.records for problem in header_problems(record)]
    raise_first(problems, f": afrd check {root}")
    assert scan.lights is not None, "a scan without lights has a problem"
    return CaptureSet(root, name, split, scan.lights, scan.records, _options(folder))


def check_dataset(
    root: str | os.PathLike[str],
    category: str | None = None,
    *,
    layout: LayoutName = "auto",
    pattern: str | None = None,
    progress: Progress | None = None,
) -> list[Problem]:
    """Every problem of a data set at once, in all splits of all categories (or of one); decodes every file.

    progress: called with (captures decoded, captures in all).

    Raises DatasetError where nothing can be checked: no data set, no such category, a pattern that makes no sense.
    """
    root = Path(root)
    contents = _contents(root, layout, pattern)
    if category is None:
        chosen, problems = contents.categories, contents.all_problems(search=True)
    else:
        name, place = _choose(root, category, contents)
        chosen, problems = {name: place}, []
    problems += [problem for place in chosen.values() for problem in stray_splits(*place, search=True)]
    files: list[tuple[Record, Imaging | None]] = []
    for found, folder in chosen.values():
        scans = [found.scan(folder, split, pattern) for split in _splits(found, folder)]
        if not scans:
            what = f"holds no capture in any of {', '.join(found.splits)}"
            problems.append(Problem(folder, what, "restore the data set"))
        problems += [problem for scan in scans for problem in scan.problems]
        problems += shared_group_problems([scan.records for scan in scans])
        records = [record for scan in scans for record in scan.records]
        problems += copy_problems(records)
        problems += _region_problems(folder, records)
        files += [(record, imaging) for imaging in [_imaging(folder, records, problems)] for record in records]
    problems += _file_problems(files, progress)
    return list(dict.fromkeys(problems))  # one about lights.yaml is met in every split


def verify(captures: CaptureSet, progress: Progress | None = None, on_image: OnImage | None = None) -> None:
    """Decode every file of a set, so that damage shows before hours are spent on the others.

    progress: called with (captures decoded, captures in all). on_image: with the path of each image and what it holds,
    [C, H, W], from several threads. Keeps one image a thread in memory.

    Raises DatasetError for the first damaged file, after all were decoded, and says how many more there are.
    """
    see = "" if captures.split is None else f": afrd check {captures.root}"
    raise_first(_file_problems([(record, captures.imaging) for record in captures.records], progress, on_image), see)


def categories(root: str | os.PathLike[str], *, layout: LayoutName = "auto", pattern: str | None = None) -> list[str]:
    """The categories of a data set, sorted; a folder that is itself one category gives its own name.

    Raises DatasetError where there is none, or where one is misspelt or cannot be listed.
    """
    contents = _contents(Path(root), layout, pattern)
    raise_first(contents.all_problems(search=False), f": afrd check {root}")
    return list(contents.categories)


def splits(
    root: str | os.PathLike[str],
    category: str | None = None,
    *,
    layout: LayoutName = "auto",
    pattern: str | None = None,
) -> list[str]:
    """The splits that a category has, in the order train, val, test. Raises DatasetError as `open_dataset`."""
    _, (found, folder) = _choose(Path(root), category, _contents(Path(root), layout, pattern))
    return _splits(found, folder)


def _imaging(folder: Path, records: Sequence[Record], problems: list[Problem]) -> Imaging | None:
    """As what the captures of a category are seen; None where that cannot be told, and why is among the problems."""
    try:
        return CaptureSet(folder, None, None, LightRig(EYECANDIES_LIGHTS), records, _options(folder)).imaging
    except ProblemError as error:
        problems.append(error.problem)
        return None


def _region_problems(folder: Path, records: Sequence[Record]) -> list[Problem]:
    """Of the region that lights.yaml gives or names. That it cannot be read is told by `_imaging`."""
    path = find_lights_file(folder)
    try:
        return region_problems(read_imaging(path).roi, records, path) if path else []
    except ProblemError:
        return []


def _file_problems(
    files: Sequence[tuple[Record, Imaging | None]], progress: Progress | None, on_image: OnImage | None = None
) -> list[Problem]:
    """What headers and contents of the files of some captures show, each once; several are decoded at a time."""
    problems: dict[Problem, None] = {}  # ordered
    with ThreadPoolExecutor() as pool:
        for done, of_record in enumerate(pool.map(lambda file: _record_problems(file[0], file[1], on_image), files), 1):
            problems |= dict.fromkeys(of_record)
            if progress:
                progress(done, len(files))
    return list(problems)


def _record_problems(record: Record, imaging: Imaging | None, on_image: OnImage | None) -> list[Problem]:
    return header_problems(record) + content_problems(record, imaging, on_image)


def _options(folder: Path) -> ImagingOptions:
    path = find_lights_file(folder)
    return read_imaging(path) if path else ImagingOptions()


def _splits(found: Layout, folder: Path) -> list[str]:
    return [split for split in found.splits if found.has(folder, split)]


def _existing_split(found: Layout, folder: Path, split: str) -> str:
    there = _splits(found, folder)
    names = [name for name in (split, _SAME_SPLIT.get(split)) if name in found.splits] or [split]
    for name in names:
        if name in there:
            return name
    raise DatasetError(f"{folder}: no split {names[0]!r}; name one of those there with --split: {', '.join(there)}")


def _choose(root: Path, category: str | None, contents: _Root) -> tuple[str, _Place]:
    found = contents.categories
    if category is not None and category not in found and next(iter(found.values()))[1] == root:
        raise DatasetError(f"{root}: has no categories, its splits lie in it; leave category {category!r} out")
    if category is not None and category not in found:
        raise DatasetError(f"{root}: no category {category!r}; name one of those there: {', '.join(found)}")
    if category is None and len(found) > 1:
        raise DatasetError(f"{root}: holds several categories; name one with --category: {', '.join(found)}")
    if category is None:  # what was misspelt might be the one that is meant
        raise_first(contents.all_problems(search=False), f": afrd check {root}")
    name = category or next(iter(found))
    return name, found[name]


def _contents(root: Path, layout: LayoutName, pattern: str | None) -> _Root:
    """Raises DatasetError where there is no category."""
    contents = _Root(_layouts(layout, pattern))
    raise_first([wrong] if (wrong := folder_problem(root, "give the folder of a data set")) else [])
    if fitting := _fitting(root, contents.layouts):
        named = root.resolve()
        contents.problems += [wrong] if (wrong := name_problem(named)) else []
        contents.categories[named.name] = (fitting, root)
        return contents
    folders, files = entries(root, contents.problems)
    for folder in folders:
        if fitting := _fitting(folder, contents.layouts):
            contents.categories[folder.name] = (fitting, folder)
        else:
            contents.others.append(folder)
    if not contents.categories:
        spelt = _spelt(contents.layouts)
        looked_for = " or ".join(f"{layout.looked_for} ({layout.name} layout)" for layout in spelt)
        if others := [layout.name for layout in contents.layouts if layout not in spelt]:
            looked_for += f", {', '.join(others)} (docs/datasets.md)"
        there = ", ".join(path.name for path in sorted(folders + files)[:5]) or "nothing"
        perhaps = "".join(f"; {problem}" for problem in contents.all_problems(search=False)[:1])
        raise DatasetError(f"{root}: no data set; looked for {looked_for}; found {there}{perhaps}")
    return contents


def _spelt(layouts: Sequence[Layout]) -> list[Layout]:
    return [layout for layout in layouts if layout in _OWN] or list(layouts)


def _fitting(folder: Path, layouts: Sequence[Layout]) -> Layout | None:
    return next((layout for layout in layouts if layout.is_category(folder)), None)


def _layouts(layout: LayoutName, pattern: str | None) -> list[Layout]:
    if layout != "auto" and layout not in _LAYOUTS:
        raise DatasetError(f"no layout {layout!r}; choose one of {', '.join(('auto', *_LAYOUTS))}")
    if pattern is None:
        return list(_LAYOUTS.values()) if layout == "auto" else [_LAYOUTS[layout]]
    if layout not in ("auto", FOLDER.name):
        raise DatasetError(f"a pattern is for the folder layout, {layout} has fixed file names; leave one of them out")
    Pattern(pattern)  # refuse nonsense before anything is looked for
    return [FOLDER]

"""Captures without labels, as a station writes them: what a trained model is asked about.

The lights are the model's; files are found by their names, so that their order on disk does not matter.
"""

import os
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from afrd.capture import LightRig
from afrd.datasets.capture_set import CaptureSet
from afrd.datasets.directions import DIRECTIONS_FILE
from afrd.datasets.eyecandies import data_lights, light_images, list_captures
from afrd.datasets.headers import header_problems
from afrd.datasets.images import SUFFIXES
from afrd.datasets.layout import duplicate_problems, images_in_order
from afrd.datasets.lights import EYECANDIES_LIGHTS, require_lights
from afrd.datasets.listing import entries, folder_problem, is_file, is_folder, name_problem
from afrd.datasets.mvtec_ad2 import FOLDERS, MVTEC_AD2
from afrd.datasets.pattern import Pattern, natural
from afrd.datasets.problems import Problem, raise_first
from afrd.datasets.psad import is_light
from afrd.datasets.record import Record
from afrd.datasets.vision import VISION
from afrd.errors import DatasetError

_IMAGE = re.compile(r"image_(\d+)")
_PUBLIC = (
    (MVTEC_AD2, {folder: split for split, folder in FOLDERS.items()}),
    (VISION, {"inference": "inference"}),
)
"""Layouts, and the folders of their splits."""
_FIX = "give folders that hold one image per light, folders of such folders, or a --pattern"
_INDEXED_IMAGE = re.compile(r"\d+_image_\d+\.png")


def read_captures(
    paths: Sequence[str | os.PathLike[str]],
    lights: LightRig,
    *,
    pattern: str | None = None,
    other_lights: bool = False,
    missing: Collection[str] | None = None,
) -> CaptureSet:
    """The captures below `paths`, labels unknown, in the order of the paths.

    lights: the model's. other_lights: images of others are left alone, as the model was trained on some of the rig's.
    missing: lights that are out of order: their images need not be there or whole and are not read, black stands for
    them; give the same to `Inspector.inspect_capture`. None: there can be none such. Each path is a folder:

    1. one capture: an image per light, `<light>.png` (or any other format that is read), or `image_0.png` … as in
       Eyecandies; its id is the folder's name;
    2. an Eyecandies split or its `data` folder, `<index>_image_0.png` …; ids are the indices;
    3. captures as in 1, one folder each; or one folder deeper, `<label>/<id>/`, as the splits of a data set in the
       folder layout: ids are then `<label>-<id>`, as they are for `evaluate`;
    4. a split of MVTec AD 2, or `inference` of VISION, in the folder of its category; ids are those of the layout;
    5. with a pattern: whatever fits it below the path, `{id}` being the id, `<group>-<id>` where it has a `{group}`,
       and `…-<view>` where it has a `{view}`.

    Where captures of several paths have the same id, the folder's name stands before it: `good-000`, `dent-000`.

    Raises DatasetError for the first problem that names and headers show: other lights than the model's, or in another
    order; a light missing or unknown; sizes that differ between lights; an id used twice or that cannot be shown;
    something that cannot be listed or reached; nothing found.
    """
    if not paths:
        raise DatasetError("no captures given; name at least one folder that holds one image per light")
    if unknown := [light for light in missing or () if light not in lights.names]:
        raise DatasetError(f"missing light {unknown[0]}: the lights are {', '.join(lights.names)}; name one of them")
    if len(set(missing or ())) == len(lights):
        raise DatasetError(f"missing lights {', '.join(lights.names)}: no light is left; name fewer")
    files = None if pattern is None else Pattern(pattern, lights.names)
    of_paths: list[tuple[Path, list[Record]]] = []
    problems: list[Problem] = []
    for path in map(Path, paths):
        records: list[Record] = []
        of_paths.append((path, records))
        if wrong := folder_problem(path, "give a folder that holds one image per light, or such folders"):
            problems.append(wrong)
        elif files is not None:
            records += _by_pattern(path, files, lights, other_lights, missing, problems)
        elif (found := _public(path, lights, other_lights, problems)) is not None:
            records += found
        elif (data := _data_folder(path)) is not None:
            records += _eyecandies(data, lights, other_lights, missing, problems)
        else:
            records += _folders(path, lights, other_lights, missing, problems)
    records = _apart(of_paths)
    if missing:
        records = [_without(record, missing, lights) for record in records]
    problems += duplicate_problems(records)
    problems += [problem for record in records for problem in header_problems(record)]
    raise_first(problems)
    root = Path(os.path.commonpath([record.images[0].parent.absolute() for record in records]))
    return CaptureSet(root, None, None, lights, records)


def _apart(of_paths: Sequence[tuple[Path, list[Record]]]) -> list[Record]:
    """The captures of all paths; those of paths that share ids are called after their folders, where that helps."""
    paths_of = Counter(own for _, records in of_paths for own in {record.id for record in records})
    together = [record for _, records in of_paths for record in records]
    named: list[Record] = []
    for path, records in of_paths:
        clashes = any(paths_of[record.id] > 1 for record in records)
        named += [_called_after(path, record) for record in records] if clashes else records
    return together if duplicate_problems(named) else named


def _called_after(path: Path, record: Record) -> Record:
    place = path.resolve()
    alone = record.images[0].parent.resolve() == place and record.id == place.name
    front = place.parent.name if alone else place.name  # a capture has its own folder's name already
    group = None if record.group is None else f"{front}-{record.group}"
    return replace(record, id=f"{front}-{record.id}", group=group)


def _without(record: Record, missing: Collection[str], lights: LightRig) -> Record:
    """Whose images of these lights are not read; nothing is of an incomplete capture, which is a problem already."""
    if len(record.images) < len(lights):
        return replace(record, unread=frozenset(record.images))
    named = zip(lights.names, record.images, strict=True)
    return replace(record, unread=frozenset(path for light, path in named if light in missing))


def _by_pattern(
    path: Path,
    files: Pattern,
    lights: LightRig,
    other_lights: bool,
    missing: Collection[str] | None,
    problems: list[Problem],
) -> list[Record]:
    found, wrong = files.find(path)
    problems += wrong
    records = []
    for capture, images in found.items():
        images = [(light, image) for light, image in images if light in lights.names or not other_lights]
        expected = {light: path / files.fill(capture, light) for light in lights.names}
        paths, wrong = images_in_order(str(capture), images, lights.names, expected.__getitem__, missing)
        problems += wrong
        records += [Record(str(capture), paths, group=capture.part, view=capture.view)] if paths else []
    return records


def _public(path: Path, lights: LightRig, other_lights: bool, problems: list[Problem]) -> list[Record] | None:
    """The captures of a split in a layout whose images lie there by their names; None where the path is none."""
    place = path.resolve() if path.name in ("", "..") else path
    for layout, names in _PUBLIC:
        split = names.get(place.name)
        if split is None or not layout.is_category(place.parent):
            continue
        scan = layout.scan(place.parent, split, None)
        problems += scan.problems
        if scan.lights is None:
            return []
        if not (other_lights and set(lights.names) <= set(scan.lights.names)):
            require_lights(scan.lights, lights, place.parent)
        chosen = [scan.lights.names.index(name) for name in lights.names]
        return [
            Record(record.id, tuple(record.images[k] for k in chosen), group=record.group)
            for record in scan.records
            if len(record.images) == len(scan.lights)
        ]
    return None


def _data_folder(path: Path) -> Path | None:
    """The folder of `<index>_image_<k>.png`: the path itself, or `data` in a split."""
    for folder in (path, path / "data"):
        if is_folder(folder) and any(_INDEXED_IMAGE.fullmatch(file.name) for file in entries(folder, [])[1]):
            return folder
    return None


def _eyecandies(
    data: Path, lights: LightRig, other_lights: bool, missing: Collection[str] | None, problems: list[Problem]
) -> list[Record]:
    there = data_lights(data.absolute())
    if not (other_lights and set(lights.names) <= set(there.names)):
        require_lights(there, lights, data)
    chosen = [there.names.index(name) for name in lights.names]
    records = []
    for index, items in list_captures(data, problems).items():
        images, wrong = light_images(data, index, items, there.names, missing)
        problems += wrong
        records += [] if wrong or not images else [Record(index, tuple(images[k] for k in chosen))]
    return records


def _folders(
    path: Path, lights: LightRig, other_lights: bool, missing: Collection[str] | None, problems: list[Problem]
) -> list[Record]:
    """The path as one capture, or the folders in it as captures, or those in the folders of labels."""
    before = len(problems)
    subfolders, files = entries(path, problems)
    if images := _images(files):
        named = path.resolve()  # "." has no name
        problems += [wrong] if (wrong := name_problem(named)) else []
        return _capture(path, named.name, subfolders, images, lights, other_lights, missing, problems)
    if not subfolders and len(problems) == before:
        problems.append(Problem(path, "holds no image", "give a folder that holds one image per light"))
    records = []
    for folder in _sorted(subfolders):
        before = len(problems)
        inner, files = entries(folder, problems)
        if images := _images(files):
            records += _capture(folder, folder.name, inner, images, lights, other_lights, missing, problems)
        elif not inner and len(problems) == before:
            problems.append(Problem(folder, "holds no image", _FIX))
        for capture in [] if images else _sorted(inner):
            before = len(problems)
            deeper, files = entries(capture, problems)
            if images_of := _images(files):
                own = f"{folder.name}-{capture.name}"
                records += _capture(capture, own, deeper, images_of, lights, other_lights, missing, problems)
            elif len(problems) == before:
                fix = f"captures that lie deeper are given a folder at a time, as {capture}" if deeper else _FIX
                problems.append(Problem(capture, "holds no image", fix))
    return records


def _capture(
    folder: Path,
    capture: str,
    subfolders: list[Path],
    images: list[Path],
    lights: LightRig,
    other_lights: bool,
    missing: Collection[str] | None,
    problems: list[Problem],
) -> list[Record]:
    if subfolders:
        what = f"holds images and folders ({subfolders[0].name})"
        problems.append(Problem(folder, what, "give a folder of images, one per light, or a folder of such folders"))
    if is_file(folder / DIRECTIONS_FILE):  # maps computed from the lights lie beside them (`afrd.datasets.psad`)
        images = [path for path in images if is_light(path) or path.stem in lights.names]
    named = {path: path.stem for path in images}
    numbers = {path: int(match[1]) for path, stem in named.items() if (match := _IMAGE.fullmatch(stem))}
    if len(numbers) == len(named) and not set(named.values()) & set(lights.names):
        every = LightRig(EYECANDIES_LIGHTS)
        if not (other_lights and set(lights.names) <= set(every.names)):
            require_lights(every, lights, folder)
        named |= {path: every.names[k] for path, k in numbers.items() if k < len(every)}
    if other_lights:
        named = {path: light for path, light in named.items() if light in lights.names}
    suffix = images[0].suffix if images else ".png"
    found, wrong = images_in_order(
        capture,
        [(light, path) for path, light in named.items()],
        lights.names,
        lambda light: folder / f"{light}{suffix}",
        missing,
    )
    problems += wrong
    return [Record(capture, found)] if found else []


def _sorted(folders: list[Path]) -> list[Path]:
    return sorted(folders, key=lambda folder: natural(folder.name))


def _images(files: list[Path]) -> list[Path]:
    return [path for path in files if path.suffix.lower() in SUFFIXES]

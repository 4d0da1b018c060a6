"""PSAD: photometric stereo, four lights a part.

    <category>/train/good/<id>/1.png … 4.png
    <category>/test/good/<id>/1.png … 4.png
    <category>/test/<defect type>/<id>/1.png … 4.png
    <category>/ground_truth/<defect type>/<id>.png         or <id>_mask.png
    light_directions.txt                                   in the capture's folder, the category's or the data set's

What else lies in a capture's folder (normal, albedo and curvature maps) is no light and is left alone, unless a
`lights.yaml` of the category or the data set names it, such as `lights: [{name: "1"}, …, {name: normal}]`; then that
file says the directions too. The captures of a category have the same directions.

Confirmed are the files of a capture; how splits, labels and masks are laid out is not (docs/datasets.md).
"""

import math
from pathlib import Path

from afrd.capture import LightRig
from afrd.datasets.directions import DIRECTIONS_FILE, read_directions
from afrd.datasets.images import SUFFIXES
from afrd.datasets.layout import Layout, Scan, common_names, images_in_order, number_problem, stray_images, unused_masks
from afrd.datasets.lights import find_lights_file, read_lights
from afrd.datasets.listing import entries, files_below, is_file, is_folder
from afrd.datasets.pattern import natural
from afrd.datasets.problems import Problem, ProblemError
from afrd.datasets.record import Record

SPLITS = ("train", "val", "test")
GOOD, MASKS = "good", "ground_truth"
_SAME = 1e-3  # two files of one rig may be written with few digits


def _is_category(folder: Path) -> bool:
    if is_file(folder / DIRECTIONS_FILE):
        return any(is_folder(folder / split) for split in SPLITS)
    good = folder / "train" / GOOD
    return is_folder(good) and any(is_file(inner / DIRECTIONS_FILE) for inner in entries(good, [])[0][:1])


def is_light(path: Path) -> bool:
    """Whether an image of a capture's folder is one under a light, by its name."""
    return path.stem.isdecimal()


def _scan(folder: Path, split: str, pattern: str | None) -> Scan:
    del pattern  # the layout is fixed
    scan = Scan()
    captures = _captures(folder, split, scan.problems)
    try:
        scan.lights = _lights(folder, captures)
    except ProblemError as error:
        scan.problems.append(error.problem)
        return scan
    for label, inner in captures:
        found = [(path.stem, path) for path in _images(inner, scan.problems)]
        if find_lights_file(folder) is None:
            found = [(name, path) for name, path in found if is_light(path)]
        else:
            found = [(name, path) for name, path in found if name in scan.lights.names or is_light(path)]
        images, problems = images_in_order(
            f"{label}-{inner.name}", found, scan.lights.names, lambda light, inner=inner: inner / f"{light}.png"
        )
        scan.problems += problems + _other_directions(inner, scan.lights)
        mask = _mask(folder / MASKS / label, inner.name) if label != GOOD else None
        defects = () if label == GOOD else (label,)
        masks = {label: mask} if mask else {}
        if images:
            scan.records.append(Record(f"{label}-{inner.name}", images, label != GOOD, defects, mask, masks))
    if split == "test":
        scan.problems += unused_masks(folder / MASKS, scan.records, scan.problems)
    if not scan.records and not scan.problems:
        scan.problems.append(Problem(folder / split, "holds no capture", f"put good parts into {GOOD}/<id>/1.png …"))
    return scan


def _captures(folder: Path, split: str, problems: list[Problem]) -> list[tuple[str, Path]]:
    """(label, folder) of each capture."""
    found = []
    labels, files = entries(folder / split, problems)
    problems += stray_images(files, folder / split, f"move them to {GOOD}/<id>, or to <id> of a defect type of test")
    for label in labels:
        if split != "test" and label.name != GOOD:
            what = f"anomalous captures in {split}, which holds good parts only"
            problems.append(Problem(label, what, f"move the folder to test/{label.name}"))
        inner, files = entries(label, problems)
        problems += stray_images(files, label, "give each capture a folder of its own in it")
        for capture in inner:
            below = [path for deeper in entries(capture, [])[0] for path in files_below(deeper, problems)]
            problems += stray_images(below, capture, "move them up into it, or out of the data set")
        found += [(label.name, path) for path in sorted(inner, key=lambda path: natural(path.name))]
    return found


def _lights(folder: Path, captures: list[tuple[str, Path]]) -> LightRig:
    """Raises ProblemError: no lights, no directions, or an unreadable file."""
    if path := find_lights_file(folder):
        return read_lights(path)
    names = common_names([path.stem for path in _images(inner, []) if is_light(path)] for _, inner in captures)
    names = tuple(sorted(names, key=natural))
    if problem := number_problem(names, folder):
        raise ProblemError(problem.path, problem.what, problem.fix)
    places = [*(inner for _, inner in captures[:1]), folder, folder.parent]
    path = next((place / DIRECTIONS_FILE for place in places if is_file(place / DIRECTIONS_FILE)), None)
    return LightRig(names, read_directions(path, len(names)) if path else None)


def _other_directions(capture: Path, lights: LightRig) -> list[Problem]:
    """A problem where a capture's own directions are not those of the rig."""
    path = capture / DIRECTIONS_FILE
    if lights.directions is None or not is_file(path):
        return []
    known = [d for d in lights.directions if not any(map(math.isnan, d))]
    try:
        own = read_directions(path, len(known))
    except ProblemError as error:
        return [error.problem]
    if max(math.dist(a, b) for a, b in zip(own, known, strict=True)) <= _SAME:
        return []
    what = "other directions than those of the category's first capture"
    return [Problem(path, what, "captures of one category are taken under one rig: move it to a category of its own")]


def _images(folder: Path, problems: list[Problem]) -> list[Path]:
    return [path for path in entries(folder, problems)[1] if path.suffix.lower() in SUFFIXES]


def _mask(folder: Path, capture: str) -> Path | None:
    return next((path for name in (capture, f"{capture}_mask") if is_file(path := folder / f"{name}.png")), None)


PSAD = Layout(
    "psad",
    f"<category>/train/good/<id>/{{1,2,3,4}}.png with {DIRECTIONS_FILE}",
    SPLITS,
    _is_category,
    _scan,
    (MASKS,),
)

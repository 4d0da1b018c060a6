"""MVTec AD 2: one part under regular, too much, too little and shifted light.

    <object>/train/good/<id>_<light>.png
    <object>/validation/good/<id>_<light>.png                         the split "val"
    <object>/test_public/{good,bad}/<id>_<light>.png
    <object>/test_public/ground_truth/bad/<id>_<light>_mask.png
    <object>/{test_private,test_private_mixed}/<id>_<light>.png       without labels

The lights are `regular`, `overexposed`, `underexposed`, `shift_1`, `shift_2`, …; those of the rig are those of `train`,
or what a `lights.yaml` names. Where that is one light, every image is a capture in that light's place, whatever light
it was taken under, as the data set means it: what was learned under regular light is tried under others. Where there
are several, a capture is all images of one id, and its mask that of the first light.

Images of one id are one part, by `group`. Source: Heckler-Kram et al., "The MVTec AD 2 Dataset", arXiv 2503.21622.
"""

import re
from collections import defaultdict
from pathlib import Path

from afrd.capture import LightRig
from afrd.datasets.images import SUFFIXES
from afrd.datasets.layout import Layout, Scan, common_names, images_in_order, number_problem
from afrd.datasets.lights import find_lights_file, read_lights
from afrd.datasets.listing import entries, is_file, is_folder
from afrd.datasets.pattern import natural
from afrd.datasets.problems import Problem, ProblemError
from afrd.datasets.record import Record

GOOD, BAD = "good", "bad"
FOLDERS = {
    "train": "train",
    "val": "validation",
    "test_public": "test_public",
    "test_private": "test_private",
    "test_private_mixed": "test_private_mixed",
}
_IMAGE = re.compile(r"(?P<id>.+?)_(?P<light>regular|overexposed|underexposed|shift_[0-9]+)")
_Found = dict[str, list[tuple[str, Path]]]
"""Id → its lights and images."""


def _is_category(folder: Path) -> bool:
    places = (folder / name / GOOD for name in ("train", "validation", "test_public"))
    return any(_IMAGE.fullmatch(path.stem) for place in places if is_folder(place) for path in entries(place, [])[1])


def _has(folder: Path, split: str) -> bool:
    return is_folder(folder / FOLDERS[split])


def _scan(folder: Path, split: str, pattern: str | None) -> Scan:
    del pattern  # the layout is fixed
    scan = Scan()
    try:
        scan.lights = _lights(folder)
    except ProblemError as error:
        scan.problems.append(error.problem)
        return scan
    place = folder / FOLDERS[split]
    for label in _labels(place, split, scan.problems):
        where = place if label is None else place / label
        for own, images in _images(where, scan.problems).items():
            scan.records += _records(split, label, own, images, where, scan)
    if not scan.records and not scan.problems:
        scan.problems.append(Problem(place, "holds no capture", "expected files such as good/000_regular.png"))
    return scan


def _lights(folder: Path) -> LightRig:
    """Raises ProblemError."""
    if path := find_lights_file(folder):
        return read_lights(path)
    learned = _images(folder / FOLDERS["train"] / GOOD, [])
    names = sorted(common_names([light for light, _ in images] for images in learned.values()), key=natural)
    names = tuple(sorted(names, key=lambda name: name != "regular"))
    if problem := number_problem(names, folder / FOLDERS["train"] / GOOD):
        raise ProblemError(problem.path, problem.what, problem.fix)
    return LightRig(names)


def _labels(place: Path, split: str, problems: list[Problem]) -> list[str | None]:
    """The folders of the labels; None where images lie in the split itself, without labels."""
    if "private" in split:
        return [None]
    found = [path.name for path in entries(place, problems)[0]]
    known = (GOOD, BAD) if split == "test_public" else (GOOD,)
    for name in found:
        if name not in (*known, "ground_truth"):
            fix = f"name it {' or '.join(known)}, or remove it"
            problems.append(Problem(place / name, f"a label that {split} does not have", fix))
    return [name for name in known if name in found]


def _images(folder: Path, problems: list[Problem]) -> _Found:
    found: _Found = defaultdict(list)
    for path in entries(folder, problems)[1]:
        if path.suffix.lower() not in SUFFIXES:
            continue
        if match := _IMAGE.fullmatch(path.stem):
            found[match["id"]].append((match["light"], path))
        else:
            fix = "name it <id>_regular.png, or overexposed, underexposed, shift_1 … for regular"
            problems.append(Problem(path, "no light in its name", fix))
    return dict(sorted(found.items(), key=lambda item: natural(item[0])))


def _records(
    split: str, label: str | None, own: str, found: list[tuple[str, Path]], where: Path, scan: Scan
) -> list[Record]:
    start = "" if label is None else f"{label}-"
    group = f"{split}-{start}{own}"
    if len(scan.lights) == 1:
        captures = [(f"{start}{path.stem}", (path,)) for _, path in sorted(found, key=lambda one: natural(one[0]))]
    else:
        images, problems = images_in_order(
            f"{start}{own}", found, scan.lights.names, lambda light: where / f"{own}_{light}.png"
        )
        scan.problems += problems
        captures = [(f"{start}{own}", images)] if images else []
    return [_record(name, images, label, where, group, scan) for name, images in captures]


def _record(name: str, images: tuple[Path, ...], label: str | None, where: Path, group: str, scan: Scan) -> Record:
    if label != BAD:
        return Record(name, images, None if label is None else False, group=group)
    mask = where.parent / "ground_truth" / BAD / f"{images[0].stem}_mask.png"
    if not is_file(mask):
        scan.problems.append(Problem(mask, f"mask of the bad capture {name} is missing", "restore it"))
        return Record(name, images, True, (BAD,), group=group)
    return Record(name, images, True, (BAD,), mask, {BAD: mask}, group)


MVTEC_AD2 = Layout(
    "mvtec-ad2",
    "<object>/{train,validation}/good/<id>_regular.png",
    tuple(FOLDERS),
    _is_category,
    _scan,
    tuple(FOLDERS.values()),
    _has,
)

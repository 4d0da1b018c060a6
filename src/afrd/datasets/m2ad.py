"""M2AD: 12 views of each part, each under 10 lights.

    <Class>/Good/<part>/<image>        good parts
    <Class>/NG/<part>/<image>          bad ones
    <Class>/GT/<part>/<image without its last 8 characters>_mask.png

Of an image's file name the characters 1 to 3 (counted from 0) are the view, 6 and 7 the light, as in `V001_L01.png`,
whose mask is `V001_mask.png`: one mask for all lights of a view. A view whose mask is missing or empty shows no defect;
the part stays bad. `_seg.png` files beside the masks are left alone.

Splits: "train" is 60 % of the good parts, drawn with seed 42 as the authors' script draws them; "test" is the others
and all bad parts. A capture is one view of one part; a part gets one verdict from all its views.

Source: Cao et al., "Visual Anomaly Detection under Complex View-Illumination Interplay: A Large-Scale Benchmark", 2025.
"""

import random
import re
from collections import defaultdict
from pathlib import Path

from afrd.capture import LightRig
from afrd.datasets.images import SUFFIXES, read_mask
from afrd.datasets.layout import Layout, Scan, common_names, images_in_order, number_problem
from afrd.datasets.lights import find_lights_file, read_lights
from afrd.datasets.listing import entries, is_file, is_folder
from afrd.datasets.pattern import natural
from afrd.datasets.problems import Problem, ProblemError
from afrd.datasets.record import Record

GOOD, BAD, MASKS = "Good", "NG", "GT"
TRAIN_SHARE, SEED = 0.6, 42
_IMAGE = re.compile(r".(?P<view>[0-9]{3})..(?P<light>[0-9]{2}).*")
_Views = dict[str, list[tuple[str, Path]]]
"""View → its lights and images."""


def _is_category(folder: Path) -> bool:
    return is_folder(folder / GOOD) and (is_folder(folder / BAD) or is_folder(folder / MASKS))


def _has(folder: Path, split: str) -> bool:
    return is_folder(folder / GOOD) or (split == "test" and is_folder(folder / BAD))


def train_parts(names: list[str]) -> set[str]:
    """Those of the good parts that are learned from."""
    shuffled = sorted(names)
    random.Random(SEED).shuffle(shuffled)
    return set(shuffled[: int(len(shuffled) * TRAIN_SHARE)])


def _scan(folder: Path, split: str, pattern: str | None) -> Scan:
    del pattern  # the layout is fixed
    scan = Scan()
    good = entries(folder / GOOD, scan.problems)[0]
    learned = train_parts([part.name for part in good])
    parts = [part for part in good if (part.name in learned) is (split == "train")]
    if split == "test" and is_folder(folder / BAD):
        parts += entries(folder / BAD, scan.problems)[0]
    views = {part: _views(part, scan.problems) for part in parts}
    try:
        scan.lights = _lights(folder, views)
    except ProblemError as error:
        scan.problems.append(error.problem)
        return scan
    for part, of_part in views.items():
        shown = [_record(folder, part, view, images, scan) for view, images in of_part.items()]
        if part.parent.name == BAD and not any(record.anomalous for record in shown):
            what = f"no view of the bad part {part.name} has a mask that marks anything"
            fix = f"restore its masks, or move the part out of {BAD}"
            scan.problems.append(Problem(folder / MASKS / part.name, what, fix))
        scan.records += [record for record in shown if record.images]
    if not scan.records and not scan.problems:
        scan.problems.append(Problem(folder, f"holds no part for {split}", f"put good parts into {GOOD}/<part>/"))
    return scan


def _views(part: Path, problems: list[Problem]) -> _Views:
    views: _Views = defaultdict(list)
    for path in entries(part, problems)[1]:
        if path.suffix.lower() not in SUFFIXES:
            continue
        if match := _IMAGE.fullmatch(path.stem):
            views[match["view"]].append((match["light"], path))
        else:
            fix = "name images V<view, 3 digits>_L<light, 2 digits>.png, or remove it"
            problems.append(Problem(path, "no view and light in its name", fix))
    return dict(sorted(views.items()))


def _lights(folder: Path, views: dict[Path, _Views]) -> LightRig:
    """By `lights.yaml`, else the numbers that most views have. Raises ProblemError."""
    if path := find_lights_file(folder):
        return read_lights(path)
    seen = [[light for light, _ in images] for of_part in views.values() for images in of_part.values()]
    names = tuple(sorted(common_names(seen), key=natural))
    if problem := number_problem(names, folder):
        raise ProblemError(problem.path, problem.what, problem.fix)
    return LightRig(names)


def _record(folder: Path, part: Path, view: str, found: list[tuple[str, Path]], scan: Scan) -> Record:
    group = f"{part.parent.name}-{part.name}"
    name, first = f"{group}-{view}", found[0][1]
    start = first.name[:-8]

    def expected(light: str) -> Path:
        return first.with_name(first.name[:6] + light + first.name[8:])

    images, problems = images_in_order(name, found, scan.lights.names, expected)
    scan.problems += problems
    mask = folder / MASKS / part.name / f"{start}_mask.png"
    if part.parent.name == GOOD or not is_file(mask):
        return Record(name, images, False, group=group, view=view)
    try:
        shows = bool(read_mask(mask).any())
    except ProblemError as error:
        scan.problems.append(error.problem)
        shows = True
    if not shows:
        return Record(name, images, False, group=group, view=view)
    return Record(name, images, True, (BAD,), mask, {BAD: mask}, group, view)


M2AD = Layout(
    "m2ad",
    f"<Class>/{{{GOOD},{BAD},{MASKS}}}/<part>/V001_L01.png",
    ("train", "test"),
    _is_category,
    _scan,
    (GOOD, BAD, MASKS),
    _has,
)

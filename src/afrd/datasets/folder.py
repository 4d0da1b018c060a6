"""A user's own captures in folders.

    DATA/[CATEGORY/]train/good/<id>/<light>.png
    DATA/[CATEGORY/]val/good/<id>/<light>.png              optional
    DATA/[CATEGORY/]test/good/<id>/<light>.png
    DATA/[CATEGORY/]test/<defect type>/<id>/<light>.png
    DATA/[CATEGORY/]masks/<defect type>/<id>.png           optional: above zero where the defect is
    DATA/[CATEGORY/]lights.yaml                            optional: names, order and directions of the lights

- Images are PNG, JPEG, WebP, TIFF or BMP, 8- or 16-bit, grey or RGB; all lights of a capture have one size and depth.
- A pattern replaces `{id}/{light}.*` below the folder of one label, for example `{id}_{light}.png` for
  `train/good/017_top.png`. With `{group}` in it, captures of one group are one part photographed more than once; the
  own id, also of a mask, is then `<group>-<id>`. With `{view}` in it a part is seen from several sides and gets one
  verdict from all; own ids end in `-<view>`. Where a bad part has masks, its views without one show no defect.
- A capture's id is its label and its own id, as in `good-017` or `scratch-003`, so that every label may count from 0.
- Without `lights.yaml` the lights are the names that at least half of the captures have, sorted, numbers by value
  (`2` before `10`).
- `lights.yaml` may also lie in DATA, for all categories; it is found as well where the folder of one is opened.
- Masks may be given for all, some or none of the anomalous captures of `test`.
"""

from pathlib import Path

from afrd.capture import LightRig
from afrd.datasets.images import SUFFIXES
from afrd.datasets.layout import Layout, Scan, common_names, duplicate_problems, images_in_order, number_problem
from afrd.datasets.lights import find_lights_file, name_fault, read_lights
from afrd.datasets.listing import entries, files_below, is_folder
from afrd.datasets.pattern import DEFAULT_PATTERN, Name, Pattern, natural
from afrd.datasets.problems import Problem, ProblemError
from afrd.datasets.record import Record

SPLITS = ("train", "val", "test")
GOOD = "good"


def _is_category(folder: Path) -> bool:
    return any(is_folder(folder / split) for split in SPLITS)


def _scan(folder: Path, split: str, pattern: str | None) -> Scan:
    scan = Scan()
    names, files = _lights_and_pattern(folder, pattern or DEFAULT_PATTERN, scan)
    labels = _labels(folder / split, split, scan.problems)
    masks = _masks(folder, scan.problems) if split == "test" else {}
    for label in labels:
        found, problems = files.find(label)
        scan.problems.extend(problems)
        marked = {name.part for name in found if name.view and (label.name, str(name)) in masks}
        for capture, images in found.items():
            paths, problems = images_in_order(
                str(capture),
                images,
                names,
                lambda light, capture=capture, label=label: label / files.fill(capture, light),
            )
            scan.problems.extend(problems)
            mask = masks.pop((label.name, str(capture)), None)
            if paths:
                shows = label.name != GOOD and (mask is not None or capture.part not in marked)
                scan.records.append(_record(split, label.name, capture, paths, mask, shows))
    for (defect, capture), path in masks.items():
        what = f"mask with no capture: there is no {capture} in {folder / split / defect}"
        scan.problems.append(
            Problem(path, what, "name it masks/<defect type>/<id>.png after its capture, or remove it")
        )
    scan.problems.extend(duplicate_problems(scan.records))
    return scan


def _lights_and_pattern(folder: Path, pattern: str, scan: Scan) -> tuple[tuple[str, ...], Pattern]:
    """The light names and the pattern that knows them; sets `scan.lights` where the names make a rig."""
    path = find_lights_file(folder)
    try:
        if path:
            scan.lights = read_lights(path)
            return scan.lights.names, Pattern(pattern, scan.lights.names)
    except ProblemError as error:
        scan.problems.append(error.problem)
    files = Pattern(pattern)
    captures = [
        dict(images)
        for split in SPLITS
        if is_folder(folder / split)
        for label in entries(folder / split, [])[0]  # problems are those of the split that is scanned
        for images in files.find(label)[0].values()
    ]
    names = tuple(sorted(common_names(captures), key=natural))
    problem = number_problem(names, folder)
    wrong = [
        Problem(next(capture[name] for capture in captures if name in capture), *fault)
        for name in names
        if (fault := name_fault(name))
    ]
    scan.problems += wrong
    if problem is None and not wrong:
        scan.lights = LightRig(names)
    elif problem and names:
        scan.problems.append(problem)
    return names, files


def _record(split: str, label: str, capture: Name, images: tuple[Path, ...], mask: Path | None, shows: bool) -> Record:
    """shows: whether the defect can be seen."""
    own = f"{label}-{capture}"
    group = None if capture.part is None else f"{label}-{capture.part}"
    if group and capture.group is None:  # ids may count from 0 in every split
        group = f"{split}-{group}"
    if not shows:
        return Record(own, images, False, group=group, view=capture.view)
    return Record(own, images, True, (label,), mask, {label: mask} if mask else {}, group, capture.view)


def _labels(split_folder: Path, split: str, problems: list[Problem]) -> list[Path]:
    """The folders of the labels.

    Problems: images outside of them, labels that a split may not hold, a split without any.
    """
    before = len(problems)
    labels, files = entries(split_folder, problems)
    stray = [path.name for path in files if path.suffix.lower() in SUFFIXES]
    if stray:
        what = f"{len(stray)} image(s) outside of the folder of a label, such as {stray[0]}"
        problems.append(
            Problem(split_folder, what, f"move them to {split_folder / GOOD} or to a folder per defect type")
        )
    if not labels and len(problems) == before:
        problems.append(Problem(split_folder, "holds no capture", f"put good parts into {split_folder / GOOD}/<id>/"))
    if split != "test":
        for label in labels:
            if label.name != GOOD:
                what = f"anomalous captures in {split}, which holds good parts only"
                problems.append(Problem(label, what, f"move the folder to test/{label.name}"))
    return labels


def _masks(folder: Path, problems: list[Problem]) -> dict[tuple[str, str], Path]:
    """(defect type, own id) → mask; doubled masks, masks of good captures and masks elsewhere are problems."""
    masks: dict[tuple[str, str], Path] = {}
    if not is_folder(folder / "masks"):
        return masks
    for path in files_below(folder / "masks", problems):
        if path.suffix.lower() not in SUFFIXES:
            continue
        defect, *rest = path.relative_to(folder / "masks").parts
        if len(rest) != 1:
            problems.append(Problem(path, "mask outside of masks/<defect type>/", "move it to the folder of its type"))
        elif defect == GOOD:
            problems.append(
                Problem(path, "mask for a good capture", "remove it, or move it to the defect type it shows")
            )
        elif (defect, path.stem) in masks:
            what = f"a second mask for the capture, beside {masks[defect, path.stem].name}"
            problems.append(Problem(path, what, "remove one of them"))
        else:
            masks[defect, path.stem] = path
    return masks


FOLDER = Layout(
    "folder", "[<category>/]{train,val,test}/good/<id>/<light>.png", SPLITS, _is_category, _scan, ("masks",)
)

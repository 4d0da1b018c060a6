"""One whole tree a light, as single-light data sets are laid out, beside a `lights.yaml` that names the folders.

    <category>/lights.yaml                                        lights: [{name: low}, {name: medium}, {name: high}]
    <category>/<light>/train/good/<id>.png
    <category>/<light>/val/good/<id>.png                          optional
    <category>/<light>/test/{good,<defect type>}/<id>.png
    <category>/<light>/ground_truth/<defect type>/<id>.png        or <id>_mask.png; of the first light

Equal ids in the folders are one capture. MSC-AD's illumination intensities are read so; its layout is not confirmed
(docs/datasets.md). Without `lights.yaml` the layout is not recognised, as categories look the same.
"""

from collections import defaultdict
from pathlib import Path

from afrd.datasets.images import SUFFIXES
from afrd.datasets.layout import Layout, Scan, duplicate_problems, images_in_order, stray_images, unused_masks
from afrd.datasets.lights import LIGHTS_FILE, read_lights
from afrd.datasets.listing import entries, files_below, is_file, is_folder
from afrd.datasets.pattern import natural
from afrd.datasets.problems import Problem, ProblemError
from afrd.datasets.record import Record

SPLITS = ("train", "val", "test")
GOOD, MASKS = "good", "ground_truth"


def _is_category(folder: Path) -> bool:
    return bool(_names(folder)) and all(is_folder(folder / name / "train" / GOOD) for name in _names(folder))


def _has(folder: Path, split: str) -> bool:
    return any(is_folder(folder / name / split) for name in _names(folder))


def _names(folder: Path) -> tuple[str, ...]:
    path = folder / LIGHTS_FILE
    try:
        return read_lights(path).names if is_file(path) else ()
    except ProblemError:
        return ()


def _scan(folder: Path, split: str, pattern: str | None) -> Scan:
    del pattern  # the layout is fixed
    scan = Scan(read_lights(folder / LIGHTS_FILE))
    labels: dict[str, dict[str, list[tuple[str, Path]]]] = defaultdict(lambda: defaultdict(list))
    for light in scan.lights.names:
        place = folder / light / split
        names, files = entries(place, scan.problems)
        scan.problems += stray_images(files, place, f"move them to {GOOD}, or to a folder per defect type of test")
        for label in names:
            deeper, files = entries(label, scan.problems)
            for path in files:
                if path.suffix.lower() in SUFFIXES:
                    labels[label.name][path.stem].append((light, path))
            below = [path for inner in deeper for path in files_below(inner, scan.problems)]
            scan.problems += stray_images(below, label, "move them up into it, or out of the data set")
    for label, captures in sorted(labels.items()):
        if split != "test" and label != GOOD:
            what = f"anomalous captures in {split}, which holds good parts only"
            path = folder / scan.lights.names[0] / split / label
            scan.problems.append(Problem(path, what, f"move the folder of each light to test/{label}"))
        for own, found in sorted(captures.items(), key=lambda item: natural(item[0])):
            name = found[0][1].name

            def expected(light: str, label: str = label, name: str = name) -> Path:
                return folder / light / split / label / name

            images, problems = images_in_order(f"{label}-{own}", found, scan.lights.names, expected)
            scan.problems += problems
            if images:
                scan.records.append(_record(label, own, images, folder / scan.lights.names[0] / MASKS / label))
    scan.problems += duplicate_problems(scan.records)
    if split == "test":
        scan.problems += unused_masks(folder / scan.lights.names[0] / MASKS, scan.records, scan.problems)
    if not scan.records and not scan.problems:
        where = folder / scan.lights.names[0] / split
        scan.problems.append(Problem(where, "holds no capture", f"put good parts into {GOOD}/<id>.png of every light"))
    return scan


def _record(label: str, own: str, images: tuple[Path, ...], masks: Path) -> Record:
    if label == GOOD:
        return Record(f"{label}-{own}", images, False)
    mask = next((path for name in (own, f"{own}_mask") if is_file(path := masks / f"{name}.png")), None)
    return Record(f"{label}-{own}", images, True, (label,), mask, {label: mask} if mask else {})


LIGHT_FOLDERS = Layout(
    "light-folders",
    f"<category>/<light>/train/good/<id>.png with {LIGHTS_FILE}",
    SPLITS,
    _is_category,
    _scan,
    _names,
    _has,
)

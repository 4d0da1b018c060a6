"""The Eyecandies layout, also written by `afrd render`: `<Class>/<split>/data/<index>_<item>`.

Read are `image_0.png` … (RGB, one per light), `metadata.yaml`, `mask.png` and `bumps_mask.png dents_mask.png
colors_mask.png normals_mask.png`; every other item (depth, normals, pose, …) is left alone. The index has any width.
`test_private` has no labels: label and mask are unknown there, whatever files lie beside the images. Names of lights
are those of the Eyecandies rig unless a `lights.yaml` in the class folder or around it names others.

Source: Bonfiglioli et al., "The Eyecandies Dataset for Unsupervised Multimodal Anomaly Detection and Localization",
ACCV 2022, https://eyecan-ai.github.io/eyecandies.
"""

import re
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path

from afrd.capture import LightRig
from afrd.datasets.layout import Layout, Scan, images_in_order
from afrd.datasets.lights import EYECANDIES_LIGHTS, find_lights_file, read_lights
from afrd.datasets.listing import entries, is_folder
from afrd.datasets.problems import Problem, ProblemError
from afrd.datasets.record import Record
from afrd.datasets.yaml_file import YamlFile

DEFECTS = ("bumps", "dents", "colors", "normals")
SPLITS = ("train", "val", "test_public", "test_private")
_GOOD_ONLY = ("train", "val")
_UNLABELLED = "test_private"
_ITEM = re.compile(r"(\d+)_(.+)")
_IMAGE = re.compile(r"image_(\d+)\.png")
_FLAG = re.compile(rf"({'|'.join(DEFECTS)})(_\w+)?")


def _is_category(folder: Path) -> bool:
    return any(is_folder(folder / split / "data") for split in SPLITS)


def _scan(folder: Path, split: str, pattern: str | None) -> Scan:
    del pattern  # the layout is fixed
    data = folder / split / "data"
    scan = Scan()
    if data not in entries(data.parent, scan.problems)[0]:
        if not scan.problems:
            scan.problems.append(Problem(data, "no such folder", f"restore it, or remove {data.parent}"))
        return scan
    try:
        scan.lights = data_lights(data)
    except ProblemError as error:
        scan.problems.append(error.problem)
    names = scan.lights.names if scan.lights else EYECANDIES_LIGHTS
    captures = list_captures(data, scan.problems)
    for index, items in captures.items():
        images, problems = light_images(data, index, items, names)
        scan.problems.extend(problems)
        if images:
            scan.records.append(_labelled(index, images, items, data, split, scan.problems))
    if not captures and not scan.problems:
        scan.problems.append(
            Problem(data, "holds no capture", "expected files such as 000_image_0.png; restore or remove it")
        )
    return scan


def data_lights(data: Path) -> LightRig:
    """The rig of a data folder, by the `lights.yaml` of its class or of the data set, else the Eyecandies rig.

    Raises ProblemError for an unreadable `lights.yaml`.
    """
    found = find_lights_file(data.parent.parent)
    return read_lights(found) if found else LightRig(EYECANDIES_LIGHTS)


def list_captures(data: Path, problems: list[Problem]) -> dict[str, dict[str, Path]]:
    """index → item name → path, for the items that are read, by index.

    Problems: equal indices of two widths; whatever cannot be listed or reached.
    """
    known = {"metadata.yaml", "mask.png", *(f"{defect}_mask.png" for defect in DEFECTS)}
    captures: dict[str, dict[str, Path]] = defaultdict(dict)
    for path in entries(data, problems)[1]:
        match = _ITEM.fullmatch(path.name)
        if match and (match[2] in known or _IMAGE.fullmatch(match[2])):
            captures[match[1]][match[2]] = path
    widths: dict[int, str] = {}
    for index, items in captures.items():
        first = widths.setdefault(int(index), index)
        if first != index:
            what = f"duplicate id: capture {index} beside capture {first}"
            problems.append(Problem(next(iter(items.values())), what, "renumber one of them"))
    return dict(sorted(captures.items(), key=lambda capture: (int(capture[0]), capture[0])))


def light_images(
    data: Path, index: str, items: dict[str, Path], lights: tuple[str, ...], missing: Collection[str] | None = None
) -> tuple[tuple[Path, ...], list[Problem]]:
    """The images of one capture in the order of `lights`, `image_0` first; none for a mask or metadata alone.

    missing: as of `images_in_order`.
    """
    images = {int(match[1]): path for item, path in items.items() if (match := _IMAGE.fullmatch(item))}
    if not images:
        alone = items.get("mask.png") or next(iter(items.values()))
        what = f"{'mask' if alone.name.endswith('mask.png') else 'metadata'} with no capture"
        return (), [Problem(alone, what, f"add {index}_image_0.png and the other lights, or remove it")]
    named = [(lights[k] if k < len(lights) else f"image_{k}", path) for k, path in images.items()]
    return images_in_order(
        index, named, lights, lambda light: data / f"{index}_image_{lights.index(light)}.png", missing
    )


def _labelled(
    index: str, images: tuple[Path, ...], items: dict[str, Path], data: Path, split: str, problems: list[Problem]
) -> Record:
    if split == _UNLABELLED:
        return Record(index, images)
    if "metadata.yaml" not in items:
        path = data / f"{index}_metadata.yaml"
        problems.append(
            Problem(path, f"the label of capture {index} is missing", 'restore it; it holds "anomalous: 0"')
        )
        return Record(index, images)
    path = items["metadata.yaml"]
    try:
        anomalous, defects = read_metadata(path)
    except ProblemError as error:
        problems.append(error.problem)
        return Record(index, images)
    if anomalous and split in _GOOD_ONLY:
        what = f"anomalous capture in {split}, which holds good parts only"
        problems.append(Problem(path, what, "move the capture to test_public"))
    mask = items.get("mask.png")
    if anomalous and mask is None:
        what = f"mask of the anomalous capture {index} is missing"
        problems.append(Problem(data / f"{index}_mask.png", what, "restore it"))
    masks = {defect: items[f"{defect}_mask.png"] for defect in defects if f"{defect}_mask.png" in items}
    return Record(index, images, anomalous, defects, mask, masks)


def read_metadata(path: Path) -> tuple[bool, tuple[str, ...]]:
    """Whether anomalous, and the defect types, sorted, from a `metadata.yaml`.

    `anomalous` and the four defect types are 0, 1 or booleans; a defect type may carry a suffix (`bumps_mask: 1`), and
    other keys are left alone. Raises ProblemError naming the line for a missing or other value and for a contradiction.
    """
    file = YamlFile(path, 'write "anomalous: 0" or 1, and the same for bumps, dents, colors and normals')
    if not isinstance(file.value, dict):
        raise file.error("expected keys and values")
    if "anomalous" not in file.value:
        raise file.error("no key anomalous")
    flags: dict[str, bool] = {}
    for key, value in file.value.items():
        match = _FLAG.fullmatch(str(key))
        if key != "anomalous" and not match:
            continue
        if value not in (0, 1) or not isinstance(value, bool | int):
            if match and match[2]:
                continue  # such as a path or a count: no flag
            raise file.error(f"{key} is {value!r}, expected 0 or 1", key)
        name = match[1] if match else key
        if flags.setdefault(name, bool(value)) != bool(value):
            raise file.error(f"{key} contradicts another flag for {name}", key)
    defects = tuple(sorted(defect for defect in DEFECTS if flags.get(defect)))
    if defects and not flags["anomalous"]:
        raise file.error(f"anomalous is 0, but {', '.join(defects)} is set", "anomalous")
    return flags["anomalous"], defects


EYECANDIES = Layout(
    "eyecandies",
    "<category>/{train,val,test_public,test_private}/data/<index>_image_0.png",
    SPLITS,
    _is_category,
    _scan,
)

"""Real-IAD D3: the photographs of a part under the lights of its photometric stereo.

    realiad_d3_raw/<category>/…                    open this folder, unpacked
    realiad_d3_jsons/<category>.json               beside it

The JSON has lists `train`, `validation` and `test` of entries with `image_path`, `mask_path` and `anomaly_class` ("OK"
for good parts); paths are below `realiad_d3_raw/`, after `meta.prefix`, or `<category>/` where there is none. The light
is `L<2 digits>` in the file name; the images of a capture are all files beside `image_path` that differ from it by
that alone. A name without it is the one light `rgb`. `ps_path` (the normals computed from the lights) and `xyz_path`
are not read.

How many lights a part was released with is not confirmed (docs/datasets.md).
"""

import re
from pathlib import Path
from typing import Any

from afrd.capture import LightRig
from afrd.datasets.json_file import entries_of, read_json
from afrd.datasets.layout import Layout, Scan, common_names, duplicate_problems, images_in_order, number_problem
from afrd.datasets.lights import find_lights_file, read_lights
from afrd.datasets.listing import is_file
from afrd.datasets.pattern import natural
from afrd.datasets.problems import Problem, ProblemError
from afrd.datasets.record import Record

JSONS = "realiad_d3_jsons"
LISTS = {"train": "train", "val": "validation", "test": "test"}
GOOD, ONLY = "OK", "rgb"
_LIGHT = re.compile(r"(?<![A-Za-z0-9])L([0-9]{2})(?![0-9])")
_FIX = "restore the file of the data set"


def _json(folder: Path) -> Path:
    around = folder.absolute()
    return around.parent.parent / JSONS / f"{around.name}.json"


def _is_category(folder: Path) -> bool:
    return is_file(_json(folder))


def _has(folder: Path, split: str) -> bool:
    try:
        value = read_json(_json(folder), _FIX)
    except ProblemError:
        return True  # scanning says why
    return not isinstance(value, dict) or bool(value.get(LISTS[split]))


def _scan(folder: Path, split: str, pattern: str | None) -> Scan:
    del pattern  # the layout is fixed
    scan, path = Scan(), _json(folder)
    try:
        value = read_json(path, _FIX)
        listed = [_entry(entry, path) for entry in entries_of(value, LISTS[split], path, _FIX)]
        start = _start(folder, value)
        found = [_lights_of(start / entry["image_path"]) for entry in listed]
        scan.lights = _rig(folder, found)
    except ProblemError as error:
        scan.problems.append(error.problem)
        return scan
    for entry, images in zip(listed, found, strict=True):
        scan.records += _records(entry, images, start, split, scan)
    scan.problems += duplicate_problems(scan.records)
    if not listed:
        scan.problems.append(Problem(path, f"lists no capture at {LISTS[split]}", _FIX))
    return scan


def _entry(entry: dict[str, Any], path: Path) -> dict[str, Any]:
    for key in ("image_path", "anomaly_class"):
        if not isinstance(entry.get(key), str):
            raise ProblemError(path, f"an entry without {key}", _FIX)
    for key in ("image_path", "mask_path"):
        named = entry.get(key)
        if isinstance(named, str) and (named.startswith("/") or ".." in named.split("/")):
            raise ProblemError(path, f"{key} {named!r} leaves the data set", _FIX)
    return entry


def _start(folder: Path, value: dict[str, Any]) -> Path:
    """Where the paths of the JSON begin."""
    meta = value.get("meta")
    prefix = meta.get("prefix") if isinstance(meta, dict) else None
    if isinstance(prefix, str) and ".." not in prefix.split("/") and (folder.parent / prefix).is_dir():
        return folder.parent / prefix.strip("/")
    return folder


def _lights_of(path: Path) -> list[tuple[str, Path]]:
    """The lights and images of the capture that `path` is one image of; it alone where it is missing."""
    if not _LIGHT.search(path.name):
        return [(ONLY, path)]
    alike = path.parent.glob(_LIGHT.sub("L[0-9][0-9]", path.name, count=1)) if path.parent.is_dir() else ()
    return [(f"L{_LIGHT.search(one.name)[1]}", one) for one in sorted(alike)]


def _rig(folder: Path, captures: list[list[tuple[str, Path]]]) -> LightRig:
    """Raises ProblemError."""
    if path := find_lights_file(folder):
        return read_lights(path)
    names = tuple(sorted(common_names([light for light, _ in images] for images in captures), key=natural))
    if problem := number_problem(names, folder):
        raise ProblemError(problem.path, problem.what, problem.fix)
    return LightRig(names)


def _records(entry: dict[str, Any], found: list[tuple[str, Path]], start: Path, split: str, scan: Scan) -> list[Record]:
    path = start / entry["image_path"]
    own = "-".join(Path(_LIGHT.sub("", entry["image_path"], count=1)).with_suffix("").parts).replace("__", "_")

    def expected(light: str) -> Path:
        return path.with_name(_LIGHT.sub(light, path.name, count=1))

    images, problems = images_in_order(own, found, scan.lights.names, expected)
    scan.problems += problems
    label, mask = entry["anomaly_class"], entry.get("mask_path")
    if label == GOOD:
        return [Record(own, images, False)] if images else []
    if split == "train":
        scan.problems.append(Problem(path, f"a part with {label} in train, which holds good parts only", _FIX))
    mask = start / mask if isinstance(mask, str) and mask else None
    return [Record(own, images, True, (label,), mask, {label: mask} if mask else {})] if images else []


REAL_IAD_D3 = Layout(
    "real-iad-d3",
    f"realiad_d3_raw/<category> beside {JSONS}/<category>.json",
    tuple(LISTS),
    _is_category,
    _scan,
    tuple(LISTS.values()),
    _has,
)

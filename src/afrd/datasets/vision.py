"""VISION: one light, defects as COCO polygons.

    <Category>/{train,val,inference}/_annotations.coco.json      and the images that it names, beside it
    <Category>/good/                                             optional, yours: more parts that you know to be good

Images without an annotation count as good. Splits: "train" is the good ones of `train` and what lies in `good`; "test"
is the annotated ones of `train` and all of `val`; "inference" has no labels. Where no image of `train` is without a
defect there is nothing to learn from: put pictures that you have looked at into `good`.

Source: Bai et al., "VISION Datasets: A Benchmark for Vision-based InduStrial InspectiON", arXiv 2306.07890.
"""

from pathlib import Path

from afrd.capture import LightRig
from afrd.datasets.coco import Annotated, read_coco
from afrd.datasets.images import SUFFIXES
from afrd.datasets.layout import Layout, Scan, duplicate_problems
from afrd.datasets.listing import entries, is_file, is_folder
from afrd.datasets.problems import Problem, ProblemError
from afrd.datasets.record import Record

ANNOTATIONS = "_annotations.coco.json"
LIGHT = "image"
GOOD = "good"


def _is_category(folder: Path) -> bool:
    return any(is_file(folder / split / ANNOTATIONS) for split in ("train", "val"))


def _has(folder: Path, split: str) -> bool:
    return is_folder(folder / {"test": "val"}.get(split, split)) or (split == "train" and is_folder(folder / GOOD))


def _scan(folder: Path, split: str, pattern: str | None) -> Scan:
    del pattern  # the layout is fixed
    scan = Scan(LightRig((LIGHT,)))
    if split == "inference":
        scan.records = [Record(path.stem, (path,)) for path in _images(folder / split, scan.problems)]
    else:
        annotated = _annotated(folder / "train", scan)
        if split == "train":
            chosen = [(image, path) for image, path in annotated if not image.drawn]
            chosen += [(Annotated(path.name), path) for path in _good(folder, scan)]
        else:
            chosen = [(image, path) for image, path in annotated if image.drawn] + _annotated(folder / "val", scan)
        scan.records = [_record(image, path) for image, path in chosen]
    scan.problems += duplicate_problems(scan.records)
    if not scan.records and not scan.problems:
        where = folder / ("val" if split == "test" else split)
        what = "no image without an annotated defect" if split == "train" else "holds no capture"
        fix = (
            f"put pictures of parts that you know to be good into {folder / GOOD}" if split == "train" else "restore it"
        )
        scan.problems.append(Problem(where, what, fix))
    return scan


def _good(folder: Path, scan: Scan) -> list[Path]:
    return _images(folder / GOOD, scan.problems) if is_folder(folder / GOOD) else []


def _annotated(folder: Path, scan: Scan) -> list[tuple[Annotated, Path]]:
    """The images of an annotation file that are there; one that is not, and one that the file does not name, is a
    problem."""
    if not is_folder(folder):
        return []
    try:
        found = [(image, folder / image.file_name) for image in read_coco(folder / ANNOTATIONS)]
    except ProblemError as error:
        scan.problems.append(error.problem)
        return []
    there = set(_images(folder, scan.problems))
    for image, path in found:
        if path not in there:
            what = f"is missing; {ANNOTATIONS} names it"
            scan.problems.append(Problem(folder / image.file_name, what, "restore it, or remove its entry"))
    for path in sorted(there - {path for _, path in found}):
        scan.problems.append(Problem(path, f"is not in {ANNOTATIONS}", "add it there, or remove it"))
    return [(image, path) for image, path in found if path in there]


def _record(image: Annotated, path: Path) -> Record:
    return Record(f"{path.parent.name}-{path.stem}", (path,), bool(image.drawn), tuple(image.drawn), drawn=image.drawn)


def _images(folder: Path, problems: list[Problem]) -> list[Path]:
    return [path for path in entries(folder, problems)[1] if path.suffix.lower() in SUFFIXES]


VISION = Layout(
    "vision",
    f"<Category>/{{train,val}}/{ANNOTATIONS}",
    ("train", "test", "inference"),
    _is_category,
    _scan,
    ("val", GOOD),
    _has,
)

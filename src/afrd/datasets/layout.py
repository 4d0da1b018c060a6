"""What every layout gives: how it is recognised, which splits it has, and how one split is scanned.

Scanning lists files and reads labels; it opens no image.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from afrd.capture import MAX_LIGHTS, MIN_LIGHTS, LightRig
from afrd.datasets.images import SUFFIXES
from afrd.datasets.listing import files_below, is_folder
from afrd.datasets.problems import Problem
from afrd.datasets.record import Record


@dataclass
class Scan:
    """What one split of one category holds. With problems, `lights` may be None and records incomplete."""

    lights: LightRig | None = None
    records: list[Record] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def _named(folder: Path, split: str) -> bool:
    return is_folder(folder / split)


@dataclass(frozen=True)
class Layout:
    """One way of laying out a data set on disk.

    looked_for: its paths in one line, for the error about a folder that is no data set.
    splits: names of the split folders, in the order they are listed in.
    is_category: whether a folder holds the splits of one category.
    scan: (category folder, split, pattern) → Scan.
    beside: other folders of a category that are read; a function of the category where they have no fixed names.
    has: whether a category has a split: as a rule, a folder of that name.
    """

    name: str
    looked_for: str
    splits: tuple[str, ...]
    is_category: Callable[[Path], bool]
    scan: Callable[[Path, str, str | None], Scan]
    beside: tuple[str, ...] | Callable[[Path], tuple[str, ...]] = ()
    has: Callable[[Path, str], bool] = _named


def images_in_order(
    capture: str,
    found: Iterable[tuple[str, Path]],
    lights: Sequence[str],
    expected: Callable[[str], Path],
    missing: Collection[str] | None = None,
) -> tuple[tuple[Path, ...], list[Problem]]:
    """The images of one capture in the order of `lights`; a missing, doubled or unknown light is a problem.

    expected: light → the path where its image should be. missing: lights that are out of order, whose images need not
    be there; None: there can be none such.
    """
    problems, by_light = [], {}
    for light, path in found:
        if light not in lights:
            what = f"unknown light {light} in capture {capture}; the lights are {', '.join(lights)}"
            problems.append(
                Problem(path, what, "remove or rename the file, or take every capture under this light too")
            )
        elif light in by_light:
            what = f"a second image for light {light} of capture {capture}, beside {by_light[light].name}"
            problems.append(Problem(path, what, "remove one of them, or give the captures different ids"))
        else:
            by_light[light] = path
    for light in lights:
        if light not in by_light and missing and light in missing:
            by_light[light] = expected(light)
        elif light not in by_light:
            what = f"light {light} is missing for capture {capture}"
            fix = "add the image, or remove the capture's others"
            fix += "" if missing is None else f"; judge without a light that is out of order by --missing {light}"
            problems.append(Problem(expected(light), what, fix))
    return tuple(by_light[light] for light in lights if light in by_light), problems


def stray_images(found: Iterable[Path], place: Path, fix: str) -> list[Problem]:
    """A problem where there are images among files that lie below `place` where none is read."""
    stray = [path for path in found if path.suffix.lower() in SUFFIXES]
    if not stray:
        return []
    what = f"{len(stray)} image(s) where none is read, such as {stray[0].relative_to(place)}"
    return [Problem(place, what, fix)]


def unused_masks(folder: Path, records: Iterable[Record], listing: list[Problem]) -> list[Problem]:
    """A problem per image below a folder of masks that is no record's. listing: gets what cannot be listed."""
    used = {record.mask for record in records}
    there = files_below(folder, listing) if is_folder(folder) else ()
    fix = f"name it {folder.name}/<defect type>/<id>.png or <id>_mask.png after its capture, or remove it"
    unused = [path for path in there if path.suffix.lower() in SUFFIXES and path not in used]
    return [Problem(path, "mask with no capture", fix) for path in unused]


def common_names(captures: Iterable[Iterable[str]]) -> list[str]:
    """The light names that at least half of the captures have; a stray file makes no light."""
    captures = [set(names) for names in captures]
    counts = Counter(name for names in captures for name in names)
    return [name for name, count in counts.items() if 2 * count >= len(captures)]


def number_problem(names: Sequence[str], folder: Path) -> Problem | None:
    """A problem where there are too few or too many lights."""
    if MIN_LIGHTS <= len(names) <= MAX_LIGHTS:
        return None
    what = f"{len(names)} lights ({', '.join(names)})"
    fix = f"photograph each part under {MIN_LIGHTS} to {MAX_LIGHTS} lights, one image each"
    return Problem(folder, what, fix)


def duplicate_problems(records: Iterable[Record]) -> list[Problem]:
    """A problem per record whose id another one has taken."""
    problems, taken = [], {}
    for record in records:
        first = taken.setdefault(record.id, record)
        if first is not record:
            what = f"duplicate id {record.id}, also of {first.images[0]}"
            problems.append(Problem(record.images[0], what, "rename one of them"))
    return problems


def shared_group_problems(splits: Iterable[Sequence[Record]]) -> list[Problem]:
    """A problem per group that has captures in two splits: what is learned from must not be what it is tried on."""
    first: dict[str, Record] = {}
    problems: dict[str, Problem] = {}
    for records in splits:
        known = dict(first)
        for record in records:
            if record.group is None:
                continue
            other = known.get(record.group)
            if other:
                what = f"group {record.group} also has captures in another split, such as {other.images[0]}"
                fix = "keep all captures of a part in one split, or give different parts different groups"
                problems.setdefault(record.group, Problem(record.images[0], what, fix))
            first.setdefault(record.group, record)
    return list(problems.values())

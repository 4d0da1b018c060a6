"""Folders beside the splits and categories that nothing would read: a misspelt split, a category in no known layout.

Folders without images, such as those of training runs, and single files are left alone.
"""

from difflib import get_close_matches
from pathlib import Path

from afrd.datasets.images import SUFFIXES
from afrd.datasets.layout import Layout
from afrd.datasets.listing import entries, files_below
from afrd.datasets.problems import Problem

_SPLIT_NAMES = (
    *("train", "val", "test", "test_public", "test_private"),
    *("training", "valid", "validate", "validation", "testing"),  # too far from the above to be taken for misspelt
)
_LIKENESS = 0.8  # `Test`, `tests` and `trian` are like a split, `runs` and `masks` are not


def stray_splits(layout: Layout, category: Path, *, search: bool) -> list[Problem]:
    """Folders of a category named nearly like a split; with `search` also any other that holds images.

    What cannot be listed there is a problem as well.
    """
    problems: list[Problem] = []
    known = (*layout.splits, *(layout.beside(category) if callable(layout.beside) else layout.beside))
    for folder in entries(category, problems)[0]:
        if folder.name not in known and (_like_split(folder) or (search and _holds_images(folder))):
            what = f"no split of the {layout.name} layout, so that nothing in it is read"
            fix = f"rename it to one of {', '.join(layout.splits)}, or move it out of the data set"
            problems.append(Problem(folder, what, fix))
    return problems


def stray_category(layouts: list[Layout], folder: Path, *, search: bool) -> list[Problem]:
    """A folder beside the categories, itself none, that holds something like a split; with `search` also images."""
    problems: list[Problem] = []
    likely = [inner.name for inner in entries(folder, problems)[0] if _like_split(inner)]
    if likely or (search and _holds_images(folder)):
        what = f"holds {', '.join(likely) or 'images'}, but is no category, so that nothing in it is read"
        splits = " or ".join(f"{', '.join(layout.splits)} ({layout.name} layout)" for layout in layouts)
        problems.append(Problem(folder, what, f"name its splits {splits}, or move it out of the data set"))
    return problems


def _like_split(folder: Path) -> bool:
    return bool(get_close_matches(folder.name.casefold(), _SPLIT_NAMES, n=1, cutoff=_LIKENESS))


def _holds_images(folder: Path) -> bool:
    return any(path.suffix.lower() in SUFFIXES for path in files_below(folder, []))

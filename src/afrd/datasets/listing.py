"""Listing folders so that nothing in them goes missing unsaid.

Every reader lists folders here. Links are followed, names that start with a dot are left alone, and what cannot be used
(no right to look, a link that leads nowhere or back, a name that no terminal can show) is a problem. Knows no layout.
"""

import os
import stat
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from afrd.datasets.problems import UNSHOWABLE, Problem


def entries(folder: Path, problems: list[Problem]) -> tuple[list[Path], list[Path]]:
    """The folders and the files in `folder`, each sorted by name; problems are added, and what has one is left out."""
    try:
        with os.scandir(folder) as listed:
            found = sorted((entry for entry in listed if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except OSError as error:
        problems.append(Problem(folder, f"cannot be listed ({error.strerror})", "restore it or its permissions"))
        return [], []
    folders, files = [], []
    for entry in found:
        path = folder / entry.name
        if unshowable := name_problem(path):
            problems.append(unshowable)
            continue
        try:
            if entry.is_symlink():
                path.stat()  # `is_dir` hides a link that leads nowhere
            (folders if entry.is_dir() else files).append(path)
        except OSError as error:
            fix = "restore what it links to, or its permissions, or remove it"
            problems.append(Problem(path, f"cannot be reached ({error.strerror})", fix))
    return folders, files


def files_below(folder: Path, problems: list[Problem]) -> Iterator[Path]:
    """Every file below `folder`, sorted by name within each folder, those of the folder itself first.

    A folder is entered once. A link to one that is entered already, or back to one above `folder`, is a problem.
    """
    start = folder.resolve()
    seen = {parent: parent for parent in start.parents} | {start: folder}

    def walk(place: Path, real: Path) -> Iterator[Path]:
        folders, files = entries(place, problems)
        yield from files
        for inner in folders:
            inner_real = inner.resolve() if inner.is_symlink() else real / inner.name
            first = seen.setdefault(inner_real, inner)
            if first is inner:
                yield from walk(inner, inner_real)
            else:
                what = f"the same folder as {first}, which is read already"
                problems.append(Problem(inner, what, "remove the link that leads back or there twice"))

    yield from walk(folder, start)


def folder_problem(path: Path, fix: str) -> Problem | None:
    """A problem unless `path`, which the user gave, is a folder."""
    try:
        if stat.S_ISDIR(path.stat().st_mode):
            return None
        what = "is a file"
    except FileNotFoundError:
        what = "no such folder"
    except OSError as error:
        what = f"cannot be reached ({error.strerror})"
    return Problem(path, what, fix)


def name_problem(path: Path) -> Problem | None:
    """A problem where a file name, which becomes an id, holds what cannot be shown in one line."""
    if path.name.isprintable() or not any(unicodedata.category(character) in UNSHOWABLE for character in path.name):
        return None
    return Problem(path, "a name with control characters, or with bytes that are not UTF-8", "rename it")


def is_folder(path: Path) -> bool:
    """Whether there is a folder. False also where there is no right to look: listing the folder above says so."""
    try:
        return path.is_dir()
    except PermissionError:
        return False


def is_file(path: Path) -> bool:
    """Whether there is a file; False also where there is no right to look."""
    try:
        return path.is_file()
    except PermissionError:
        return False

"""File names with `{id}` and `{light}`: which images below a folder belong to which capture.

`{id}` and `{light}` stand for one or more characters within one folder or file name, `*` for any number of them. A
pattern that ends in `*` takes image files only. Names that start with a dot are left alone.

Where `{id}` and `{light}` meet in one name, as in `{id}_{light}.png`, known light names decide first, the longest that
fits; without them `{light}` is the part with the fewest characters (`part_1_top` is light `top` of capture `part_1`).
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from afrd.datasets.images import SUFFIXES
from afrd.datasets.listing import files_below
from afrd.datasets.problems import Problem
from afrd.errors import DatasetError

DEFAULT_PATTERN = "{id}/{light}.*"
_TOKEN = re.compile(r"(\{[^}]*\}|\*)")

Found = dict[str, list[tuple[str, Path]]]
"""Capture id → its light names and images."""


class Pattern:
    """A pattern relative to a folder; raises DatasetError unless it has `{id}` and `{light}` once each."""

    def __init__(self, text: str, lights: Sequence[str] = ()) -> None:
        """lights: the known light names, if any."""
        self.text = text
        for token in ("{id}", "{light}"):
            if text.count(token) != 1:
                raise DatasetError(f'pattern "{text}" needs {token} once; write for example "{{id}}/{{light}}.png"')
        if text.startswith("/") or ".." in text.split("/"):
            raise DatasetError(f'pattern "{text}" leaves its folder; write it relative to the folder of one label')
        known = "|".join(re.escape(light) for light in sorted(lights, key=len, reverse=True))
        self._expressions = [self._expression("[^/]+", "[^/]+?")]
        if known:
            self._expressions.insert(0, self._expression("[^/]+?", known))

    def _expression(self, capture: str, light: str) -> re.Pattern[str]:
        tokens = {"{id}": f"(?P<id>{capture})", "{light}": f"(?P<light>{light})", "*": "[^/]*"}
        parts = _TOKEN.split(self.text)
        unknown = [part for part in parts if part.startswith("{") and part not in tokens]
        if unknown:
            raise DatasetError(f'pattern "{self.text}" has {unknown[0]}; it may hold {{id}}, {{light}} and *')
        return re.compile("".join(tokens.get(part) or re.escape(part) for part in parts))

    def match(self, path: str) -> tuple[str, str] | None:
        """The id and light of a path relative to the folder, with forward slashes; None if it does not fit."""
        if self.text.endswith("*") and Path(path).suffix.lower() not in SUFFIXES:
            return None
        for expression in self._expressions:
            if found := expression.fullmatch(path):
                return found["id"], found["light"]
        return None

    def find(self, folder: Path) -> tuple[Found, list[Problem]]:
        """The images below `folder`, by capture, sorted.

        Problems: none that fits (with examples of what is there); with the default pattern, images that do not fit;
        whatever cannot be listed or reached.
        """
        found: Found = defaultdict(list)
        others: list[str] = []
        problems: list[Problem] = []
        for path in files_below(folder, problems):
            name = path.relative_to(folder).as_posix()
            if match := self.match(name):
                found[match[0]].append((match[1], path))
            else:
                others.append(name)
        if not found and not problems:
            there = f"found {_examples(others)}" if others else "the folder is empty"
            mend = 'name the files so, or give a --pattern such as "{id}_{light}.png"'
            return {}, [Problem(folder, f'no file fits the pattern "{self.text}": {there}', mend)]
        stray = [name for name in others if Path(name).suffix.lower() in SUFFIXES]
        if stray and self.text == DEFAULT_PATTERN:
            what = f'{len(stray)} image(s) do not fit the pattern "{self.text}": {_examples(stray)}'
            problems.append(Problem(folder, what, "move them into the folder of their capture, or remove them"))
        return dict(found), problems

    def fill(self, capture: str, light: str) -> str:
        """The path that the image of a capture under a light has; `*` stays."""
        return self.text.replace("{id}", capture).replace("{light}", light)


def natural(name: str) -> tuple[tuple[int, int | str], ...]:
    """A sort key by which `2` comes before `10`."""
    return tuple((0, int(part)) if part.isdecimal() else (1, part) for part in re.split(r"([0-9]+)", name) if part)


def _examples(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")

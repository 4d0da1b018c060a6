"""File names with `{id}` and `{light}`: which images below a folder belong to which capture.

`{id}` and `{light}` stand for one or more characters within one folder or file name, `*` for any number of them. A
pattern that ends in `*` takes image files only. Names that start with a dot are left alone.

`{group}` may stand beside them: captures of one group are one part that was photographed more than once. Such a capture
is called after both, `<group>-<id>`. `{view}` says from where: all views of a part (of a group, else of an id) give one
verdict on it; a capture is then `<id>-<view>` or `<group>-<id>-<view>`.

Where they meet in one name, as in `{id}_{light}.png`, known light names decide first, the longest that fits; without
them `{light}` is the part with the fewest characters (`part_1_top` is light `top` of capture `part_1`). `{group}` has
as many as the others leave (`{group}_{id}_{light}.png`: `part_1_3_top` is capture `3` of group `part_1`), `{view}` the
fewest.
"""

import re
import warnings
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from afrd.datasets.images import SUFFIXES
from afrd.datasets.listing import entries, files_below
from afrd.datasets.problems import Problem, printable
from afrd.errors import DatasetError

DEFAULT_PATTERN = "{id}/{light}.*"
_TOKEN = re.compile(r"(\{[^}]*\}|\*)")


class Name(NamedTuple):
    """What a pattern calls a capture; group, view: None where the pattern has none."""

    id: str
    group: str | None = None
    view: str | None = None

    def __str__(self) -> str:
        return "-".join(part for part in (self.group, self.id, self.view) if part is not None)

    @property
    def part(self) -> str | None:
        """The part it shows, where the pattern tells."""
        return self.id if self.group is None and self.view is not None else self.group


Found = dict[Name, list[tuple[str, Path]]]
"""Capture → its light names and images, in natural order."""


class Pattern:
    """A pattern relative to a folder.

    Raises DatasetError unless it has `{id}` and `{light}` once, `{group}` and `{view}` at most once, and none else.
    """

    def __init__(self, text: str, lights: Sequence[str] = ()) -> None:
        """lights: the known light names, if any."""
        self.text = text
        for token in ("{id}", "{light}"):
            if text.count(token) != 1:
                raise DatasetError(f'pattern "{text}" needs {token} once; write for example "{{id}}/{{light}}.png"')
        for token in ("{group}", "{view}"):
            if text.count(token) > 1:
                raise DatasetError(
                    f'pattern "{text}" has {token} twice; write for example "{token}/{{id}}/{{light}}.png"'
                )
        if text.startswith("/") or ".." in text.split("/"):
            raise DatasetError(f'pattern "{text}" leaves its folder; write it relative to the folder of one label')
        known = [re.escape(light) for light in sorted(lights, key=len, reverse=True)]
        grouped = "{group}" in text
        if known and not grouped and "{view}" not in text:
            self._expressions = [self._expression(text, "[^/]+?", "|".join(known))]
        else:  # a light at a time, the longest first, as `{id}` may then have all that is left
            capture = "[^/]+?" if grouped else "[^/]+"
            self._expressions = [self._expression(text, capture, light) for light in known]
        self._expressions.append(self._expression(text, "[^/]+?" if grouped else "[^/]+", "[^/]+?"))

    def _expression(self, text: str, capture: str, light: str) -> re.Pattern[str]:
        tokens = {"{id}": f"(?P<id>{capture})", "{light}": f"(?P<light>{light})"}
        tokens |= {"{group}": "(?P<group>[^/]+)", "{view}": "(?P<view>[^/]+?)", "*": "[^/]*"}
        parts = _TOKEN.split(text)
        unknown = [part for part in parts if part.startswith("{") and part not in tokens]
        if unknown:
            raise DatasetError(
                f'pattern "{text}" has {unknown[0]}; it may hold {{id}}, {{light}}, {{group}}, {{view}} and *'
            )
        return re.compile("".join(tokens.get(part) or re.escape(part) for part in parts))

    def match(self, path: str) -> tuple[Name, str] | None:
        """The capture and light of a path relative to the folder, with forward slashes; None if it does not fit."""
        if self.text.endswith("*") and Path(path).suffix.lower() not in SUFFIXES:
            return None
        for expression in self._expressions:
            if found := expression.fullmatch(path):
                named = found.groupdict()
                return Name(found["id"], named.get("group"), named.get("view")), found["light"]
        return None

    def find(self, folder: Path) -> tuple[Found, list[Problem]]:
        """The images below `folder`, by capture, sorted.

        Problems: none that fits (with examples of what is there); with the default pattern, images that do not fit, of
        which any other warns; the folder of a group that holds no capture; whatever cannot be listed or reached.
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
            fix = 'name the files so, or give a --pattern such as "{id}_{light}.png"'
            return {}, [Problem(folder, f'no file fits the pattern "{self.text}": {there}', fix)]
        stray = [name for name in others if Path(name).suffix.lower() in SUFFIXES]
        if stray and self.text == DEFAULT_PATTERN:
            what = f'{len(stray)} image(s) do not fit the pattern "{self.text}": {_examples(stray)}'
            problems.append(Problem(folder, what, "move them into the folder of their capture, or remove them"))
        elif stray:  # files of another kind may be meant to lie there
            said = f'{folder}: {len(stray)} image(s) do not fit the pattern "{self.text}" and are left alone'
            warnings.warn(printable(f"{said}, such as {stray[0]}"), stacklevel=2)
        problems += self._empty_groups(folder, {name.group for name in found})
        return dict(sorted(found.items(), key=lambda item: natural(str(item[0])))), problems

    def _empty_groups(self, folder: Path, groups: set[str | None]) -> list[Problem]:
        """Where every group has a folder of its own: a problem for each in which no file fits."""
        *segments, _ = self.text.split("/")
        depth = next((i for i, segment in enumerate(segments) if "{group}" in segment), None)
        if depth is None or any(token in segments[depth] for token in ("{id}", "{light}", "{view}")):
            return []
        folders = [folder]
        for segment in segments[: depth + 1]:
            expression = self._expression(segment, "[^/]+", "[^/]+")
            inner = [path for outer in folders for path in entries(outer, [])[0]]
            folders = [path for path in inner if expression.fullmatch(path.name)]
        fix = f'put its captures there as "{self.text}", or remove the folder'
        names = [(path, expression.fullmatch(path.name)["group"]) for path in folders]
        return [Problem(path, f"group {name} has no capture", fix) for path, name in names if name not in groups]

    def fill(self, capture: Name, light: str) -> str:
        """The path that the image of a capture under a light has; `*` stays."""
        named = self.text.replace("{group}", capture.group or "").replace("{view}", capture.view or "")
        return named.replace("{id}", capture.id).replace("{light}", light)


def natural(name: str) -> tuple[tuple[int, int | str], ...]:
    """A sort key by which `2` comes before `10`."""
    return tuple((0, int(part)) if part.isdecimal() else (1, part) for part in re.split(r"([0-9]+)", name) if part)


def _examples(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")

"""What can be wrong with a data set on disk, one `Problem` each, and how it reaches the user.

Scanning and decoding collect problems; `open_dataset` raises the first, `check_dataset` returns them all.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from afrd.errors import DatasetError

UNSHOWABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories that no line of text can show: control characters, undecodable bytes of a name, line ends."""


@dataclass(frozen=True)
class Problem:
    """One thing to fix.

    path: the file or folder concerned.
    what: what is wrong with it, and what was expected.
    fix: what the user can do.
    """

    path: Path
    what: str
    fix: str

    def __str__(self) -> str:
        """One line, whatever the names in it hold."""
        return printable(f"{self.path}: {self.what}; {self.fix}")


def printable(text: str) -> str:
    """With what no line of text can show written as its code."""
    return "".join(ascii(c)[1:-1] if unicodedata.category(c) in UNSHOWABLE else c for c in text)


class ProblemError(DatasetError):
    """A problem met while a file is read."""

    def __init__(self, path: Path, what: str, fix: str) -> None:
        self.problem = Problem(path, what, fix)
        super().__init__(str(self.problem))


def raise_first(problems: Sequence[Problem], see: str = "") -> None:
    """Raise DatasetError for the first of `problems`, if any, and say how many more there are and where to see them."""
    if problems:
        more = f" (and {len(problems) - 1} more{see})" if len(problems) > 1 else ""
        raise DatasetError(f"{problems[0]}{more}")

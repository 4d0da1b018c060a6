"""A table before it is Markdown, HTML or LaTeX: headings, rows and cells, and how a cell reads in words.

Knows neither methods nor files.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

MISSING = "–"


@dataclass(frozen=True)
class Cell:
    """One cell.

    state: "value", or why there is none: "no map" (the method scores whole images only), "failed" (the reason is
        listed below the tables), "undefined" (the metric needs what the captures lack), "missing" (not run); "text".
    interval: 95 %.  seeds: runs that the value is the mean of; 0 for printed values.  failed: runs that failed beside.
    signed: a difference.  p: of a paired test, corrected.  text: of a text cell; beside a value, a remark.
    best: highest of its row.
    """

    state: Literal["value", "no map", "failed", "undefined", "missing", "text"]
    value: float | None = None
    interval: tuple[float, float] | None = None
    seeds: int = 0
    failed: int = 0
    signed: bool = False
    p: float | None = None
    text: str = ""
    best: bool = False

    @property
    def main(self) -> str:
        """The number, or the word in its place."""
        if self.state == "text":
            return self.text
        if self.value is None:
            return MISSING if self.state == "missing" else self.state
        return number(self.value, signed=self.signed)

    @property
    def details(self) -> str:
        """What stands beside the number: interval, seeds, p, remarks; empty where there is nothing to say."""
        if self.value is None:
            return ""
        parts = []
        if self.interval is not None:
            low, high = (number(end, signed=self.signed) for end in self.interval)
            parts.append(f"[{low}, {high}]")
        parts += [f"×{self.seeds}"] if self.seeds else []
        parts += [f"p {p_value(self.p)}"] if self.p is not None else []
        parts += [f"({self.failed} failed)"] if self.failed else []
        parts += [self.text] if self.text else []
        return " ".join(parts)


@dataclass(frozen=True)
class Heading:
    """Of a column. title: what it is; neighbours with the same one share it.  source: "paper", "here", "rendered"."""

    title: str
    source: str = ""


@dataclass(frozen=True)
class Row:
    """title: of the row.  average: set apart from the classes above."""

    title: str
    cells: tuple[Cell, ...]
    average: bool = False


@dataclass(frozen=True)
class Table:
    """key: short and unique, for links and labels.  missing: what is not there yet, for the head; empty if nothing."""

    key: str
    title: str
    headings: tuple[Heading, ...]
    rows: tuple[Row, ...]
    corner: str = ""
    notes: tuple[str, ...] = ()
    missing: str = ""

    def cell(self, row: str, title: str, source: str = "") -> Cell:
        """The cell in the row under a heading. Raises KeyError: no such row or heading."""
        for found in self.rows:
            if found.title == row:
                return dict(zip(self.headings, found.cells, strict=True))[Heading(title, source)]
        raise KeyError(row)


@dataclass(frozen=True)
class PairedTest:
    """A paired comparison of one of ours, the subject, with something else over classes.

    other: what it is compared with, in words; key: the same for programs.  classes: those that both have.
    subject, value: I-AUROC of either, averaged.  difference, interval, p: subject minus the other.
    holm: p corrected for all comparisons of the table.  family: how many those are.
    """

    key: str
    other: str
    classes: tuple[str, ...]
    subject: float
    value: float
    difference: float
    interval: tuple[float, float] | None
    p: float | None
    holm: float | None = None
    family: int = 0


@dataclass(frozen=True)
class Tables:
    """Everything that is written: head (paragraphs), tables, and the reasons of failed jobs.

    kind: of the data set.  tests: of attention, over all classes.
    """

    title: str
    kind: str | None
    head: tuple[str, ...]
    tables: tuple[Table, ...]
    failures: tuple[str, ...] = ()
    tests: tuple[PairedTest, ...] = field(default=())

    def table(self, key: str) -> Table:
        """Raises KeyError: no such table."""
        return {table.key: table for table in self.tables}[key]


def mark_best(cells: Sequence[Cell], comparable: Sequence[Sequence[int]]) -> tuple[Cell, ...]:
    """The highest value among each group of comparable cells is best, and so is what reads the same as it."""
    marked = list(cells)
    for group in comparable:
        values = {i: cells[i].main for i in group if cells[i].value is not None}
        if len(values) > 1:
            top = max(values.values(), key=float)
            for i in values:
                marked[i] = replace(cells[i], best=values[i] == top)
    return tuple(marked)


def number(value: float, *, signed: bool = False) -> str:
    """Three digits; a difference with its sign, as a real minus."""
    text = f"{value:+.3f}" if signed else f"{value:.3f}"
    return text.replace("-", "−") if float(text) else text.lstrip("+-")


def p_value(p: float) -> str:
    """Two significant digits."""
    return "<0.001" if p < 0.001 else f"{p:.2g}"


def n_classes(n: int) -> str:
    """How many, in words."""
    return f"{n} class{'' if n == 1 else 'es'}"

"""How methods stand a disturbed station: I-AUROC and false alarms under each disturbance, and what is lost by it.

Methods were fitted, and their thresholds set, on captures as they are. Knows no paper and no file format.
"""

from collections.abc import Callable, Sequence
from functools import cached_property

from afrd.comparison.grid import Cell, Heading, Row, Table, n_classes
from afrd.comparison.job import ALL_LIGHTS
from afrd.comparison.series import AS_IT_IS, Column, Comparison, Disturbed, Series
from afrd.comparison.statistics import Area, areas, average, change, false_alarm_rates
from afrd.disturb import KINDS, Disturbance

_Key = tuple[Column, str]


def robustness(comparison: Comparison) -> list[Table]:
    """None where nothing was judged under a disturbance."""
    if not any(len(series.disturbed) > 1 or series.refused for series in comparison.series.values()):
        return []
    board = _Board(comparison)
    return [_image_auroc(board), _lost(board), _false_alarms(board)]


_MEAN = "mean"


class _Board:
    """I-AUROC and false-alarm rates of every column under every disturbance, by class."""

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison
        self.classes = [name for name, found in comparison.classes.items() if found and len(set(found.labels)) == 2]
        judged = {by: None for s in comparison.series.values() for by in (*s.disturbed, *s.refused)}
        self.disturbances = sorted(set(judged) - {AS_IT_IS}, key=_order)
        self.columns = [
            column
            for column in comparison.columns
            if any(len(self.series(name, column).disturbed) > 1 for name in comparison.having(column))
        ]

    def series(self, name: str, column: Column) -> Series:
        return self.comparison.series[name, column]

    def names(self, column: Column) -> list[str]:
        """Classes on which a column was judged under a disturbance."""
        having = self.comparison.having(column)
        return [name for name in self.classes if name in having and len(self.series(name, column).disturbed) > 1]

    @cached_property
    def areas(self) -> dict[str, dict[_Key, Area]]:
        """I-AUROC by class."""
        return self._drawn(areas, lambda found: found.runs)

    @cached_property
    def false_alarms(self) -> dict[str, dict[_Key, Area]]:
        """Share of good captures called anomalous, by class."""
        return self._drawn(false_alarm_rates, lambda found: found.alarms)

    def _drawn(self, draw: Callable, part: Callable[[Disturbed], object]) -> dict[str, dict[_Key, Area]]:
        drawn = {}
        for name in self.classes:
            runs = {
                (column, by): part(found)
                for column in self.columns
                if name in self.names(column)
                for by, found in self.series(name, column).disturbed.items()
                if part(found) is not None
            }
            drawn[name] = draw(name, self.comparison.classes[name].labels, runs)
        return drawn

    def cell(self, figures: dict[str, dict[_Key, Area]], column: Column, by: str, signed: bool = False) -> Cell:
        """Average over the classes of a column that have the figure; how many, where not all of them do."""
        names = self.names(column)
        known = [name for name in names if (column, by) in figures[name]]
        if not known:
            refused = any(by in self.series(name, column).refused for name in names)
            return Cell("undefined" if refused else "missing")
        mean = average([figures[name][column, by] for name in known])
        seeds = min(len(self.series(name, column).disturbed[by].runs.seeds) for name in known)
        few = f"({n_classes(len(known))})" if len(known) < len(names) else ""
        return Cell("value", mean.value, mean.interval, seeds, signed=signed, text=few)

    def refused(self) -> list[str]:
        """Which disturbances could not be applied where, and why; in sentences."""
        reasons: dict[str, dict[str, str]] = {}
        for (name, _), series in self.comparison.series.items():
            for by, reason in series.refused.items():
                reasons.setdefault(by, {})[name] = reason
        return [
            f"{Disturbance.parse(by).title}: not on {', '.join(sorted(where))} ({next(iter(where.values()))})."
            for by, where in sorted(reasons.items())
        ]


def _image_auroc(board: _Board) -> Table:
    wanted = (AS_IT_IS, *board.disturbances)
    rows = [[board.cell(board.areas, column, by) for by in wanted] for column in board.columns]
    return _table(
        board,
        "disturbed",
        "I-AUROC under disturbances: averages over classes",
        ["as it is", *_titles(board)],
        rows,
        (
            "Methods are fitted, and thresholds set, on captures as they are; only what is tested is disturbed, alike "
            "for every method and seed. A number of classes in brackets: fewer than the row's others have.",
            *board.refused(),
        ),
    )


def _lost(board: _Board) -> Table:
    """Paired: before and after on the same resampled captures and seeds."""
    changes: dict[str, dict[_Key, Area]] = {}
    for name, figures in board.areas.items():
        changes[name] = {
            (column, by): change(area, figures[column, AS_IT_IS])
            for (column, by), area in figures.items()
            if by != AS_IT_IS and _seeds(board, name, column, by) == _seeds(board, name, column, AS_IT_IS)
        }
    for figures in changes.values():
        for column in {column for column, _ in figures}:
            figures[column, _MEAN] = average([area for (of, _), area in figures.items() if of == column])
    rows = []
    for column in board.columns:
        cells = [board.cell(changes, column, by, signed=True) for by in board.disturbances]
        means = [figures[column, _MEAN] for figures in changes.values() if (column, _MEAN) in figures]
        mean = average(means) if means else None
        worst = min((c for c in cells if c.value is not None), key=lambda cell: cell.value, default=Cell("missing"))
        rows.append([*cells, Cell("value", mean.value, mean.interval, signed=True) if mean else Cell("missing"), worst])
    return _table(
        board,
        "disturbed-change",
        "I-AUROC under disturbances minus I-AUROC as it is: averages over classes",
        [*_titles(board), "mean", "worst"],
        rows,
        ("Intervals are paired: the same captures and seeds are resampled before and after.",),
    )


def _false_alarms(board: _Board) -> Table:
    rows = []
    for column in board.columns:
        stated = [s for name in board.names(column) if (s := board.series(name, column).stated) is not None]
        cell = Cell("value", sum(stated) / len(stated)) if stated else Cell("missing")
        rows.append([cell, *(board.cell(board.false_alarms, column, by) for by in (AS_IT_IS, *board.disturbances))])
    reported = [Cell("missing"), Cell("missing"), *(_reported(board, by) for by in (AS_IT_IS, *board.disturbances))]
    table = _table(
        board,
        "disturbed-alarms",
        "Good parts called anomalous under disturbances: averages over classes",
        ["stated", "as it is", *_titles(board)],
        rows,
        (
            "Stated: the rate that the held-out good parts can promise. Intervals are over tested captures and seeds; "
            "which parts were held out, and set the threshold, is not in them. Light check: share of good parts whose "
            "lights it reports as faulty, beside the verdicts above.",
        ),
    )
    return Table(**vars(table) | {"rows": (*table.rows, Row("light check", tuple(reported), average=True))})


def _reported(board: _Board, by: str) -> Cell:
    """Mean over classes of what the light check reports; it is the same for every method."""
    rates = {
        name: found.light_faults
        for (name, _), series in board.comparison.series.items()
        if (found := series.disturbed.get(by)) and found.light_faults is not None
    }
    return Cell("value", sum(rates.values()) / len(rates)) if rates else Cell("missing")


def _seeds(board: _Board, name: str, column: Column, by: str) -> tuple[int, ...]:
    return board.series(name, column).disturbed[by].runs.seeds


def _order(name: str) -> tuple[int, float]:
    """Of the registry; then by strength."""
    by = Disturbance.parse(name)
    return list(KINDS).index(by.kind), by.strength


def _titles(board: _Board) -> list[str]:
    return [Disturbance.parse(by).title for by in board.disturbances]


def _table(
    board: _Board, key: str, title: str, headings: Sequence[str], rows: Sequence[Sequence[Cell]], notes: tuple[str, ...]
) -> Table:
    titles = [
        c.method_title if c.policy == ALL_LIGHTS else f"{c.method_title}, {c.policy_title}" for c in board.columns
    ]
    counts = [Cell("text", text=str(len(board.names(column)))) for column in board.columns]
    return Table(
        key,
        title,
        tuple(Heading(heading) for heading in ("classes", *headings)),
        tuple(Row(name, (count, *cells)) for name, count, cells in zip(titles, counts, rows, strict=True)),
        corner="method",
        notes=notes,
    )

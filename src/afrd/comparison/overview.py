"""What the paper's tables leave out: every method under every light policy, with time and memory, and defect types.

Knows no paper and no file format.
"""

from afrd.comparison.grid import Cell, Heading, Row, Table, n_classes
from afrd.comparison.methods import get_method
from afrd.comparison.scoreboard import METRICS, OURS, Scoreboard


def every_policy(board: Scoreboard) -> Table:
    """Every method under every light policy."""
    comparison = board.comparison
    having = {column: comparison.having(column) for column in comparison.columns}
    shared = [name for name in comparison.classes if all(name in names for names in having.values() if names)]
    common = f"I-AUROC, {n_classes(len(shared))} of all rows"
    headings = ("light policy", "classes", *METRICS.values(), common, "seconds a run", "peak memory, MB")
    rows = []
    for column, names in having.items():
        failed = len({name for name, of in comparison.failed if of == column and name not in names})
        count = f"{len(names)} ({failed} failed)" if failed else str(len(names))
        cells = [Cell("text", text=column.policy_title), Cell("text", text=count)]
        for metric in METRICS:
            defined = [name for name in names if board.has(name, column, metric)]
            if not names:
                cells.append(Cell("failed"))
            elif len(defined) == len(names):
                cells.append(board.average(names, column, metric))
            else:
                cells.append(board.cell(next(name for name in names if name not in defined), column, metric))
        on_shared = names and shared and all(board.has(name, column, "image_auroc") for name in shared)
        cells.append(board.average(shared, column, "image_auroc") if on_shared else Cell("missing"))
        series = [comparison.series[name, column] for name in names]
        seconds = [s.seconds for s in series if s.seconds is not None]
        memory = [s.memory for s in series if s.memory is not None]
        cells.append(Cell("text", text=f"{sum(seconds) / len(seconds):.0f}") if seconds else Cell("missing"))
        cells.append(Cell("text", text=f"{max(memory):.0f}") if memory else Cell("missing"))
        rows.append(Row(column.method_title, tuple(cells)))
    return Table(
        "all",
        "Every method under every light policy: averages over its classes",
        tuple(Heading(title) for title in headings),
        tuple(rows),
        corner="method",
        notes=(
            "Rows with different numbers of classes do not compare. Seconds: to fit and to score all test "
            "captures, the teacher's features of ours not counted, mean over classes and seeds; memory: the largest.",
            "Mean score over lights: the plain mean of the raw scores of the runs under each light. ORACLE: the light "
            "of each class that is best on the test labels; to choose it, every light has been run.",
        ),
    )


def defect_types(board: Scoreboard) -> Table:
    """I-AUROC of ours per defect type, over the classes that all have."""
    comparison = board.comparison
    ours = [c for c in comparison.columns if c.method in ("rd", *OURS) and comparison.having(c)]
    shared = [n for n in comparison.classes if ours and all((n, column) in comparison.series for column in ours)]
    types = sorted({t for name in shared for types in comparison.classes[name].defects for t in types})
    found = {defect: board.defect_averages(defect, shared, ours) for defect in types}
    rows = [
        Row(
            f"{column.method_title}, {column.policy_title}"
            if get_method(column.method).reads != "lights"
            else column.method_title,
            tuple(found[defect][column] for defect in types),
        )
        for column in ours
    ]
    return Table(
        "defects",
        "I-AUROC by defect type, averages over classes",
        tuple(Heading(defect) for defect in types),
        tuple(rows),
        corner="method",
        notes=(
            f"On the good captures and those with the type; {n_classes(len(shared))} that all rows have, of those the "
            "ones with at least two such captures (their number in brackets).",
        ),
    )

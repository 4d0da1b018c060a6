"""Tables I to III of the paper, printed values beside ours, and what the paper leaves out: more fusions and policies,
AU-PRO, paired tests, time and memory, defect types.

Where the data set is not Eyecandies, the printed values stand as a reference only, and our columns say "rendered" (or
"here"): numbers of different data sets do not compare. Knows no file format but the results'.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import afrd
from afrd.comparison import paper
from afrd.comparison.formats import html, latex, markdown
from afrd.comparison.grid import Cell, Heading, Row, Table, Tables, mark_best, n_classes
from afrd.comparison.job import ALL_LIGHTS
from afrd.comparison.methods import get_method
from afrd.comparison.overview import defect_types, every_policy
from afrd.comparison.paired import ATTENTION, AUTO, JOINT, paired_tables, verdicts
from afrd.comparison.robustness import robustness
from afrd.comparison.scoreboard import METRICS, OURS, Scoreboard
from afrd.comparison.series import ORACLE_LIGHT, Column, Comparison, load_comparison
from afrd.files import write_text

_FORMATS = {"md": markdown, "html": html, "tex": latex}


@dataclass(frozen=True)
class _Wanted:
    """One column of a table: what is printed, and ours. printed: (table, method, light) of the paper, or None."""

    title: str
    column: Column
    metric: str = "image_auroc"
    printed: tuple[str, str, str] | None = None


def build_tables(folder: Path) -> Tables:
    """All tables of a comparison folder. Raises RunError: no results, or results that do not belong together."""
    comparison = load_comparison(Path(folder))
    board = Scoreboard(comparison)
    classes = _classes(comparison)
    grid = partial(_grid, board, classes)
    n_lights = len(comparison.lights) or paper.LIGHTS
    fixed = str(min(paper.FIXED_LIGHT, n_lights - 1))
    tests, compared = [], []
    for subject in (ATTENTION, JOINT, AUTO):
        if subject == ATTENTION or comparison.having(subject):
            found, overall, by_class = paired_tables(comparison, classes, subject)
            said = replace(overall, notes=(*verdicts(found, comparison.kind, subject), *overall.notes))
            tests += found if subject == ATTENTION else []
            compared += [said, by_class]
    tables = [
        grid(*_table_1(fixed)),
        grid(*_table_2(n_lights, _shown(comparison))),
        grid(*_table_3(fixed)),
        grid(*_au_pro(fixed, _shown(comparison))),
        *compared,
        *robustness(comparison),
        every_policy(board),
        defect_types(board),
    ]
    return Tables(
        title=f"Comparison on {_data_name(comparison)}",
        kind=comparison.kind,
        head=_head(comparison),
        tables=tuple(tables),
        failures=tuple(_failures(comparison)),
        tests=tuple(tests),
    )


def write_tables(folder: Path, out: Path) -> list[Path]:
    """Write `tables.md`, `tables.html` and `tables.tex` into `out`; returns them. Raises RunError as `build_tables`."""
    tables = build_tables(folder)
    written = {Path(out) / f"tables.{suffix}": of(tables) for suffix, of in _FORMATS.items()}
    for path, text in written.items():
        write_text(path, text)
    return list(written)


def _policy_of(method: str, fixed: str) -> Column:
    return Column(method, fixed if get_method(method).reads != "lights" else ALL_LIGHTS)


def _table_1(fixed: str) -> tuple:
    wanted = [
        _Wanted(
            get_method(ours).title if ours != "attention" else "AFRD (attention)",
            _policy_of(ours, fixed),
            printed=("I", theirs, ""),
        )
        for theirs, ours in paper.TABLE_1.items()
    ]
    note = f"Every single-image method reads light L{int(fixed) + 1} alone"
    note += "; the paper's RD is L6 of its table II." if fixed == str(paper.FIXED_LIGHT) else "."
    return "I", "Table I: I-AUROC of single-image methods under one light, and of AFRD", wanted, (note,)


def _shown(comparison: Comparison) -> list[str]:
    """Ours; of those that came later, the ones that were run."""
    later = {"nearest", "auto"} - {column.method for column in comparison.columns}
    return [name for name in OURS if name not in later]


def _table_2(n_lights: int, ours: Sequence[str]) -> tuple:
    wanted = [_Wanted(f"L{i + 1}", Column("rd", str(i)), printed=("II", "rd", f"L{i + 1}")) for i in range(n_lights)]
    wanted += [_Wanted("ORACLE light", Column("rd", ORACLE_LIGHT))]
    wanted += [_Wanted(get_method(name).title, Column(name, ALL_LIGHTS)) for name in ours]
    notes = (
        "L1, L2, …: Reverse Distillation (RD) on that light alone. Late fusion combines the maps of all these.",
        "ORACLE light: of each class the light that is best on the test labels (in brackets), which nobody has when a "
        "light must be chosen. It is left out where the best is marked.",
    )
    return "II", "Table II: I-AUROC of RD under each light, and of the fusions", wanted, notes


def _table_3(fixed: str) -> tuple:
    wanted = [
        _Wanted(f"{METRICS[metric]} {title}", _policy_of(ours, fixed), metric, ("III", theirs, ""))
        for metric in ("image_auroc", "pixel_auroc")
        for (theirs, ours), title in zip(paper.TABLE_3.items(), ("RD", "mean", "AFRD (attention)"), strict=True)
    ]
    note = f"RD reads light L{int(fixed) + 1} alone."
    return "III", "Table III: I-AUROC and P-AUROC of RD, mean fusion and AFRD", wanted, (note, _PIXEL_NOTE)


def _au_pro(fixed: str, ours: Sequence[str]) -> tuple:
    names = ("rd", *ours)
    wanted = [_Wanted(get_method(name).title, _policy_of(name, fixed), "au_pro") for name in names]
    note = f"Not in the paper. RD reads light L{int(fixed) + 1} alone. False-positive rate up to 0.3."
    return "III-AU-PRO", "Table III, continued: AU-PRO", wanted, (note, _PIXEL_NOTE)


_PIXEL_NOTE = (
    "Intervals of pixel metrics combine those of the single runs (over captures) with what the seeds leave open, in "
    "quadrature."
)


def _grid(
    board: Scoreboard, classes: dict[str, str], key: str, title: str, wanted: Sequence[_Wanted], notes: tuple[str, ...]
) -> Table:
    """Classes as rows, then the averages."""
    kind = board.comparison.kind
    source = "rendered" if kind == "rendered" else "here"
    beside = kind in ("rendered", "eyecandies")
    columns: list[tuple[Heading, _Wanted, bool]] = []
    for each in wanted:
        if each.printed and beside:
            columns.append((Heading(each.title, "paper"), each, True))
        columns.append((Heading(each.title, source), each, False))
    comparable = [
        [i for i, (_, w, p) in enumerate(columns) if p == printed and w.metric == m and w.column.policy != ORACLE_LIGHT]
        for printed in (True, False)
        for m in METRICS
    ]

    def row(label: str, cells: Iterable[Cell], average: bool = False) -> Row:
        return Row(label, mark_best(tuple(cells), comparable), average)

    rows = [
        row(label, (_printed(w, [name]) if p else board.cell(name, w.column, w.metric) for _, w, p in columns))
        for name, label in classes.items()
    ]
    has = {w: {name for name in classes if board.has(name, w.column, w.metric)} for w in wanted}
    begun = [names for names in has.values() if names]
    common = [name for name in classes if begun and all(name in names for names in begun)]
    label = f"Average of {n_classes(len(common))} that all columns have" if common else "Average: no class in common"
    if common and len(common) == len(classes):
        label = f"Average of all {n_classes(len(common))}"
    rows.append(row(label, _averages(board, columns, common, has), True))
    if len(common) < len(classes) and any(len(names) == len(classes) for names in begun):
        every = list(classes)
        rows.append(row(f"Average of all {n_classes(len(every))}", _averages(board, columns, every, has), True))
    if kind == "rendered":
        notes = (*notes, RENDERED_NOTE) if any(p for *_, p in columns) else notes
    headings = tuple(heading for heading, *_ in columns)
    return Table(key, title, headings, tuple(rows), "class", notes, _missing(board, classes, wanted))


RENDERED_NOTE = (
    "The paper's values are of Eyecandies, ours of rendered captures: the data sets differ and the columns do not "
    "compare; the paper's stand as a reference."
)


def _printed(wanted: _Wanted, names: Sequence[str]) -> Cell:
    """The printed value, or the average of several."""
    table, method, light = wanted.printed
    value = paper.average(table, names, method, light, wanted.metric)
    return Cell("missing") if value is None else Cell("value", value)


def _averages(board: Scoreboard, columns: Sequence, names: list[str], has: dict[_Wanted, set[str]]) -> Iterable[Cell]:
    for _, wanted, printed in columns:
        if printed:
            yield _printed(wanted, names)
        elif names and has[wanted].issuperset(names):
            yield board.average(names, wanted.column, wanted.metric)
        else:
            yield Cell("no map") if board.no_map(wanted.column, wanted.metric) else Cell("missing")


def _missing(board: Scoreboard, classes: dict[str, str], wanted: Sequence[_Wanted]) -> str:
    """Which cells have not been run: classes without any, then columns, those with the same gaps together."""
    gaps = {w: [n for n in classes if board.cell(n, w.column, w.metric).state == "missing"] for w in wanted}
    empty = [name for name in classes if all(name in names for names in gaps.values())]
    columns: dict[str, list[str]] = {}
    for each, names in gaps.items():
        left = [name for name in names if name not in empty]
        if left:
            where = "all classes" if len(names) == len(classes) else ", ".join(classes[name] for name in left)
            columns.setdefault(where, []).append(each.title)
    parts = [f"all methods: {', '.join(classes[name] for name in empty)}"] if empty else []
    return "; ".join(parts + [f"{', '.join(titles)}: {where}" for where, titles in columns.items()])


def _classes(comparison: Comparison) -> dict[str, str]:
    """Name → title of every row: the paper's ten where the data set has them, and those that there are."""
    names = list(comparison.classes)
    if comparison.kind in ("rendered", "eyecandies"):
        names = [*paper.CLASSES, *(name for name in names if name not in paper.CLASSES)]
    return {name: re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name) for name in names}


def _data_name(comparison: Comparison) -> str:
    names = {"rendered": "rendered captures", "eyecandies": "Eyecandies", "folder": "own captures"}
    return names.get(comparison.kind or "", "no finished run")


def _head(comparison: Comparison) -> tuple[str, ...]:
    jobs, settings = comparison.jobs, comparison.settings
    shown = ("teacher", "image_size", "epochs", "batch_size", "precision", "split")
    run = ", ".join(f"{key.replace('_', ' ')} {settings[key]}" for key in shown if key in settings)
    versions = ", ".join(f"{name} {version}" for name, version in comparison.versions.items())
    lines = [
        f"Data set: {_data_name(comparison)}. {jobs['done']} jobs done, {jobs['failed']} failed.",
        "A cell: mean over seeds [95 % interval] ×number of seeds. Intervals are by bootstrap over captures, good and "
        "defective ones drawn apart, and over seeds; with one seed they say nothing about other seeds. Averages give "
        "every class the same weight. –: not run. no map: the method scores whole images only.",
        f"Run with: {run}." if run else "",
        f"Versions: {versions}; commit {', '.join(comparison.commits)}." if versions else "",
        f"Written by afrd {afrd.__version__}.",
    ]
    return tuple(line for line in lines if line)


def _failures(comparison: Comparison) -> Iterable[str]:
    for (name, column), runs in comparison.failed.items():
        for seed, reason in runs:
            yield f"{name}, {column.method_title}, {column.policy_title}, seed {seed}: {reason}"

"""Tables as Markdown, as one HTML file that needs nothing beside it, and as LaTeX for `booktabs`.

Names of classes and reasons of failures come from outside: each format escapes them. Knows grids only.
"""

import re
from itertools import groupby

import jinja2

from afrd.comparison.grid import Cell, Row, Table, Tables

_PAGE = 25  # rows
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "−": "$-$",
    "×": r"$\times$",
    "–": "--",
    "…": r"\dots{}",
    "[": "{[}",  # after a line's end it would be taken for an option
    "]": "{]}",
}


def markdown(tables: Tables) -> str:
    """GitHub's tables; the best of a row is bold."""
    parts = [f"# {_md(tables.title)}", *map(_md, tables.head)]
    for table in tables.tables:
        parts.append(f"## {_md(table.title)}")
        if table.missing:
            parts.append(f"**Missing:** {_md(table.missing)}.")
        if table.rows and table.headings:
            titles = [_md(f"{h.title}, {h.source}" if h.source else h.title) for h in table.headings]
            lines = [[_md(table.corner), *titles], ["---", *["---:"] * len(titles)]]
            lines += [[_md_title(row), *map(_md_cell, row.cells)] for row in table.rows]
            parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
        else:
            parts.append("Nothing to show yet.")
        parts += map(_md, table.notes)
    if tables.failures:
        parts += ["## Failed jobs", "\n".join(f"- {_md(failure)}" for failure in tables.failures)]
    return "\n\n".join(parts) + "\n"


def html(tables: Tables) -> str:
    """One page with its styles inside."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("afrd.comparison"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    groups = {table.key: _groups(table) for table in tables.tables}
    return environment.get_template("tables.html.j2").render(tables=tables, groups=groups)


def latex(tables: Tables) -> str:
    """A document of tables; each `table` environment can be copied out, with booktabs, adjustbox and longtable."""
    parts = [
        r"\documentclass{article}",
        r"\usepackage[T1]{fontenc}",
        r"\usepackage[utf8]{inputenc}",
        r"\usepackage[a4paper,landscape,margin=15mm]{geometry}",
        r"\usepackage{booktabs,adjustbox,longtable,textcomp}",
        r"\begin{document}",
        rf"\section*{{{_tex(tables.title)}}}",
        *(_tex(line) + "\n" for line in tables.head),
        *(_tex_table(table) for table in tables.tables if table.rows and table.headings),
    ]
    if tables.failures:
        items = [rf"\item {_tex(failure)}" for failure in tables.failures]
        parts += [r"\subsection*{Failed jobs}", r"\begin{itemize}", *items, r"\end{itemize}"]
    return "\n".join([*parts, r"\end{document}", ""])


def _groups(table: Table) -> list[tuple[str, int]]:
    """Neighbouring columns with one title."""
    return [(title, len(list(same))) for title, same in groupby(h.title for h in table.headings)]


def _md(text: str) -> str:
    flat = re.sub(r"\s+", " ", text)
    return re.sub(r"([\\`*_|<>\[\]#~$])", r"\\\1", flat)


def _md_title(row: Row) -> str:
    return f"**{_md(row.title)}**" if row.average else _md(row.title)


def _md_cell(cell: Cell) -> str:
    main = _md(cell.main)
    return " ".join(part for part in (f"**{main}**" if cell.best else main, cell.details) if part)


def _tex(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in re.sub(r"\s+", " ", text))


def _tex_cell(cell: Cell) -> str:
    main = rf"\textbf{{{_tex(cell.main)}}}" if cell.best else _tex(cell.main)
    return rf"\shortstack[r]{{{main}\\{{\scriptsize {_tex(cell.details)}}}}}" if cell.details else main


def _tex_table(table: Table) -> str:
    sourced = any(heading.source for heading in table.headings)
    heads = [_tex(table.corner)]
    rules, column = [], 2
    for title, span in _groups(table):
        heads.append(_tex(title) if span == 1 else rf"\multicolumn{{{span}}}{{c}}{{{_tex(title)}}}")
        rules.append(rf"\cmidrule(lr){{{column}-{column + span - 1}}}")
        column += span
    lines = [" & ".join(heads) + r" \\"]
    if sourced:
        lines += ["".join(rules), " & ".join(["", *(_tex(h.source) for h in table.headings)]) + r" \\"]
    lines.append(r"\midrule")
    for i, row in enumerate(table.rows):
        if row.average and not table.rows[i - 1].average:
            lines.append(r"\midrule")
        lines.append(" & ".join([_tex(row.title), *map(_tex_cell, row.cells)]) + r" \\")
    notes = [*([f"Missing: {table.missing}."] if table.missing else []), *table.notes]
    notes = [rf"\par\smallskip {{\footnotesize {_tex(note)}}}" for note in notes]
    name = rf"\caption{{{_tex(table.title)}}}\label{{tab:{re.sub('[^A-Za-z0-9-]', '-', table.key)}}}"
    columns = f"l{'r' * len(table.headings)}"
    if len(table.rows) > _PAGE:  # more than a page holds; a longtable's caption is a row
        long = [rf"\begin{{longtable}}{{{columns}}}", rf"{name} \\", r"\toprule", *lines, r"\bottomrule"]
        return "\n".join([*long, r"\end{longtable}", *notes])
    return "\n".join(
        [
            r"\begin{table}[p]",
            r"\centering",
            name,
            r"\begin{adjustbox}{max width=\linewidth}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{adjustbox}",
            *notes,
            r"\end{table}",
        ]
    )

"""Tables as files: Markdown, LaTeX and HTML that a reader's program takes, with nothing executable in them."""

import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from afrd.comparison.tables import write_tables
from comparison_folder import EVIL


@pytest.fixture(scope="module")
def written(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    write_tables(folder.root, out)
    assert sorted(path.name for path in out.iterdir()) == ["tables.html", "tables.md", "tables.tex"]
    return out


def test_markdown_is_tables_of_equal_rows(written, tables):
    text = (written / "tables.md").read_text(encoding="utf-8")
    blocks = re.findall(r"(?:^\|.*\|\n)+", text, flags=re.MULTILINE)
    assert len(blocks) == len(tables.tables)
    for block, table in zip(blocks, tables.tables, strict=True):
        counts = {len(re.split(r"(?<!\\)\|", line)) - 2 for line in block.splitlines()}
        assert counts == {len(table.headings) + 1}
        assert len(block.splitlines()) == len(table.rows) + 2
    assert "<img" not in text.replace("\\<img", "")
    mean = tables.table("II").cell("Confetto", "mean", "rendered")
    low, high = mean.interval
    assert f"{mean.main} [{low:.3f}, {high:.3f}] ×2 |" in text
    assert "**Missing:** all methods: Chocolate Cookie, Chocolate Praline" in text


def test_latex_is_well_formed(written, tables):
    text = (written / "tables.tex").read_text(encoding="utf-8")
    plain = re.sub(r"\\[\\{}&%$#_]", "", text)
    depth = 0
    for letter in plain:
        depth += (letter == "{") - (letter == "}")
        assert depth >= 0
    assert depth == 0 and plain.count("$") % 2 == 0 and not set(plain) & set("%#_^~")
    stack = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if kind == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert not stack
    bodies = re.findall(
        r"\\begin\{(?:tabular|longtable)\}\{(l[r]*)\}(.*?)\\end\{(?:tabular|longtable)\}", text, re.DOTALL
    )
    assert len(bodies) == len(tables.tables)
    for (columns, body), table in zip(bodies, tables.tables, strict=True):
        assert len(columns) == len(table.headings) + 1
        rows = [line for line in body.splitlines() if " & " in line]
        assert len(rows) >= len(table.rows) + 1
        for row in rows:
            spans = [int(n) - 1 for n in re.findall(r"\\multicolumn\{(\d+)\}", row)]
            assert len(re.findall(r"(?<!\\)&", row)) + 1 + sum(spans) == len(columns), row
    assert r"\textless{}img src=x onerror=" in text and r"\textbackslash{} 5\% next line" in text
    assert not set(text) - set(map(chr, range(32, 127))) - {"\n"}  # the inputenc of any TeX reads it
    assert "toprule" in text and "midrule" in text and "bottomrule" in text


def test_latex_compiles(written, tmp_path):
    compiler = shutil.which("pdflatex") or shutil.which("tectonic")
    if compiler is None:
        pytest.skip("no TeX on PATH")
    subprocess.run([compiler, str(written / "tables.tex")], cwd=tmp_path, check=True, stdin=subprocess.DEVNULL)
    assert (tmp_path / "tables.pdf").is_file()


class Page(HTMLParser):
    """Tags with their attributes, and all text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def test_html_needs_nothing_and_runs_nothing(written):
    text = (written / "tables.html").read_text(encoding="utf-8")
    page = Page(text)
    assert not {"script", "img", "iframe"} & {tag for tag, _ in page.tags}
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert not re.search(r"https?:|@import|url\(", text)
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    links = {a["href"][1:] for t, a in page.tags if t == "a"}
    assert links <= ids and "failed" in links
    assert EVIL in page.text


def test_html_is_shown_by_a_browser(written, tables, tmp_path):
    """Parsed by Chromium: every row of every table has as many cells as its head, spans counted."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium on PATH")
    count = """<script>
      const width = row => [...row.cells].reduce((n, cell) => n + cell.colSpan, 0);
      document.body.dataset.tables = [...document.querySelectorAll("table")].map(table =>
        [width(table.tHead.rows[0]), ...new Set([...table.tBodies[0].rows].map(width)), table.tBodies[0].rows.length]
      ).join(";");
      document.body.dataset.wide = document.documentElement.scrollWidth > innerWidth;
    </script></body>"""
    page = tmp_path / "tables.html"
    page.write_text((written / "tables.html").read_text(encoding="utf-8").replace("</body>", count), encoding="utf-8")
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    flags += " --disable-component-update --disable-sync --enable-logging=stderr --v=0 --dump-dom"
    command = [browser, *flags.split(), f"--user-data-dir={tmp_path / 'profile'}", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "CONSOLE" not in done.stderr
    found = re.search(r'data-tables="([^"]*)"', done.stdout).group(1).split(";")
    expected = [f"{len(t.headings) + 1},{len(t.headings) + 1},{len(t.rows)}" for t in tables.tables]
    assert found == expected
    assert 'data-wide="false"' in done.stdout  # wide tables scroll, the page does not

"""The tables of the documentation are what the committed results say, and each stands once."""

import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.blocks import BLOCKS  # noqa: E402
from benchmarks.pages import MARKED, filled  # noqa: E402

PAGES = sorted((ROOT / "docs").glob("*.md"))


def test_every_table_is_what_the_results_give():
    for path in PAGES:
        page = path.read_text(encoding="utf-8")
        assert filled(page) == page, f"{path.name}: run python -m benchmarks.pages"


def test_every_table_stands_once():
    named = Counter(match[2] for path in PAGES for match in MARKED.finditer(path.read_text(encoding="utf-8")))
    assert set(named) == set(BLOCKS)
    assert set(named.values()) == {1}


def test_a_figure_that_was_edited_by_hand_is_seen():
    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    assert "| **0.940** |" in page
    assert filled(page.replace("| **0.940** |", "| **0.990** |")) == page

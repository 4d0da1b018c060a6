"""docs/*.md from results/: what stands between `<!-- figures: NAME -->` and `<!-- /figures -->` is written anew.

    python -m benchmarks.pages

NAME is one of `benchmarks.blocks.BLOCKS`, or a table of speed. The tests run it and find nothing changed.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path

from benchmarks.blocks import BLOCKS
from benchmarks.markdown import RESULTS
from benchmarks.speed import table as speed

from afrd.files import write_text

DOCS = Path(__file__).parents[1] / "docs"
MARKED = re.compile(r"(<!-- figures: ([^>]+) -->\n).*?(<!-- /figures -->)", re.DOTALL)


def filled(page: str) -> str:
    """The page with its tables as the results have them. Raises KeyError: no block of that name."""

    def fill(match: re.Match[str]) -> str:
        lines: Iterable[str] = BLOCKS[match[2]]()
        return "\n".join((match[1].rstrip("\n"), *lines, match[3]))

    measured = {path.stem: json.loads(path.read_text()) for path in sorted((RESULTS / "speed").glob("*.json"))}
    return speed.written(MARKED.sub(fill, page), measured)


def main() -> None:
    for path in sorted(DOCS.glob("*.md")):
        page = path.read_text(encoding="utf-8")
        if (new := filled(page)) != page:
            write_text(path, new)
            print(path)


if __name__ == "__main__":
    main()

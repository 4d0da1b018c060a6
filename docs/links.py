"""For the site: what a page links to in the repository is named, not linked, and must exist."""

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
_OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./([^)#]+)(?:#[^)]*)?\)")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    def named(match: re.Match[str]) -> str:
        if not (ROOT / match[2]).exists():
            raise ValueError(f"{page.file.src_path}: links to {match[2]}, which is not there")
        return f"{match[1]} (`{match[2]}`)"

    return _OUTSIDE.sub(named, markdown)

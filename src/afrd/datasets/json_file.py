"""JSON files of data sets, with errors that name the file and what it should hold. Knows no schema."""

import json
from pathlib import Path
from typing import Any

from afrd.datasets.problems import ProblemError


def read_json(path: Path, fix: str) -> Any:
    """Raises ProblemError: no such file, no right to read it, no UTF-8, no JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProblemError(path, f"cannot be read ({error.strerror})", fix) from error
    except UnicodeDecodeError as error:
        raise ProblemError(path, f"is not UTF-8 text (byte {error.start})", fix) from error
    except json.JSONDecodeError as error:
        raise ProblemError(path, f"line {error.lineno}: {error.msg}", fix) from error


def entries_of(value: Any, key: str, path: Path, fix: str) -> list[dict[str, Any]]:
    """The list of objects at `key`. Raises ProblemError: there is none."""
    found = value.get(key) if isinstance(value, dict) else None
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise ProblemError(path, f"no list of objects at {key}", fix)
    return found

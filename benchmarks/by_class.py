"""Measures taken class by class into one JSON file; a class that is in it is not measured again.

The file says of each class with which versions, of which commit and with which settings it was measured.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from afrd.comparison.class_data import ClassData
from afrd.comparison.job import Settings
from afrd.comparison.worker import commit, versions
from afrd.datasets import categories
from afrd.files import write_text


def measure_classes(out: Path, names: Iterable[str], measure: Callable[[str], Any], **about: Any) -> None:
    """measure: a class → JSON values. about: the settings, the same for all classes of a file.

    Ends with a message where classes that are there were measured with other settings, or nobody knows with which.
    """
    result = json.loads(out.read_text()) if out.exists() else about | {"classes": {}}
    missing = [name for name in names if name not in result["classes"]]
    if missing and result["classes"]:
        changed = [f"{key}: {result.get(key)} → {value}" for key, value in about.items() if result.get(key) != value]
        if changed:
            sys.exit(f"{out}: measured with other settings ({'; '.join(changed)}); choose another --out")
    whole = {key: result.pop(key) for key in ("versions", "commit") if key in result}  # of all, in files of before
    made = dict.fromkeys(result["classes"], whole) if whole else result.get("made", {})
    for name in missing:
        result["classes"][name] = measure(name)
        made[name] = {"versions": versions(), "commit": commit()}
        write_text(out, json.dumps(result | about | {"made": made}, indent=1) + "\n")
        print(name, flush=True)


def main(about: str, measure: Callable[[ClassData], dict[str, Any]]) -> None:
    """For measures of stored features."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    measure_classes(
        options.out,
        categories(options.data),
        lambda name: measure(ClassData(options.data, name, Settings(), options.store)),
    )

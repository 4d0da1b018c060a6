"""Measures taken class by class into one JSON file; a class that is in it is not measured again."""

import argparse
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from afrd.comparison.class_data import ClassData
from afrd.comparison.job import Settings
from afrd.comparison.worker import commit, versions
from afrd.datasets import categories
from afrd.files import write_text


def measure_classes(out: Path, names: Iterable[str], measure: Callable[[str], Any], **about: Any) -> None:
    """measure: a class → JSON values. about: stands in the file beside versions and commit."""
    result = json.loads(out.read_text()) if out.exists() else {"classes": {}}
    for name in names:
        if name not in result["classes"]:
            result["classes"][name] = measure(name)
            result |= about | {"versions": versions(), "commit": commit()}
            write_text(out, json.dumps(result, indent=1) + "\n")
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

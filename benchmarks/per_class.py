"""Measures of the joint model, class by class from stored features, into one resumable file; and its table."""

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

Rows = Callable[[dict[str, Any]], Iterable[tuple[str, float]]]


def main(about: str, measure: Callable[[ClassData], dict[str, Any]], rows: Rows) -> None:
    """measure: a class → JSON values. rows: of a measured class, title and figure of each row of the table."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path)
    parser.add_argument("--store", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--table", type=Path)
    arguments = parser.parse_args()
    if arguments.table:
        print("\n".join(table(json.loads(arguments.table.read_text()), rows)))
        return
    result = json.loads(arguments.out.read_text()) if arguments.out.exists() else {"classes": {}}
    for category in categories(arguments.data):
        if category not in result["classes"]:
            result["classes"][category] = measure(ClassData(arguments.data, category, Settings(), arguments.store))
            result |= {"versions": versions(), "commit": commit()}
            write_text(arguments.out, json.dumps(result) + "\n")
            print(category, flush=True)


def table(result: dict[str, Any], rows: Rows) -> list[str]:
    classes = {name: dict(rows(measured)) for name, measured in result["classes"].items()}
    lines = ["| | " + " | ".join([*classes, "average"]) + " |", "|---" * (len(classes) + 2) + "|"]
    for title in next(iter(classes.values())):
        values = [figures[title] for figures in classes.values()]
        lines.append(f"| {title} | " + " | ".join(f"{v:.3f}" for v in (*values, sum(values) / len(values))) + " |")
    return lines

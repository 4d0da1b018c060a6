"""The tables of docs/method.md: classes the joint model was chosen on, and those it is reported on.

    python benchmarks/reporting.py benchmarks/results/rendered

Average of the seeds there are; differences are paired over captures and seeds (`afrd.comparison.statistics`).
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from afrd.comparison.paired import JOINT, paired_tables
from afrd.comparison.series import Column, Comparison, load_comparison
from afrd.evaluation.metrics import image_auroc

REPORTED = ("CandyCane", "ChocolateCookie", "ChocolatePraline", "Confetto", "GummyBear")
COLUMNS = {
    "mean": Column("mean", "all"),
    "attention": Column("attention", "all"),
    "oracle light": Column("rd", "oracle-light"),
    "joint": JOINT,
}


def shown(comparison: Comparison) -> dict[str, Column]:
    """Those of COLUMNS that were run."""
    run = {column for _, column in comparison.series}
    return {title: column for title, column in COLUMNS.items() if column in run}


def image(comparison: Comparison, name: str, column: Column) -> float:
    return float(np.mean(of_seeds(comparison, name, column)))


def of_seeds(comparison: Comparison, name: str, column: Column) -> list[float]:
    """I-AUROC of each seed."""
    labels, scores = comparison.classes[name].labels, comparison.series[name, column].runs.scores
    return [image_auroc(labels, run, resamples=2).value for run in scores]


def pixel(comparison: Comparison, name: str, column: Column, metric: str) -> float:
    return float(np.mean([value for value, _ in comparison.series[name, column].pixel[metric]]))


def class_rows(comparison: Comparison, names: list[str], title: str) -> list[str]:
    """Rows of a Markdown table."""
    rows = []
    for name in names:
        values = [image(comparison, name, column) for column in shown(comparison).values()]
        for metric in ("pixel_auroc", "au_pro"):
            values += [pixel(comparison, name, column, metric) for column in (COLUMNS["mean"], JOINT)]
        rows.append(values)
    lines = [f"| {name} | " + " | ".join(f"{v:.3f}" for v in row) + " |" for name, row in zip(names, rows, strict=True)]
    return [*lines, f"| {title} | " + " | ".join(f"{v:.3f}" for v in np.mean(rows, 0)) + " |"]


def paired(comparison: Comparison, names: list[str]) -> list[str]:
    some = replace(comparison, classes={name: comparison.classes[name] for name in names})
    lines = []
    for test in paired_tables(some, {name: name for name in names}, JOINT)[0]:
        low, high = test.interval
        share = (1 - test.subject) / (1 - test.value)
        lines.append(
            f"| {test.other} | {test.value:.3f} | {test.difference:+.3f} [{low:+.3f}, {high:+.3f}] "
            f"| p {test.p:.4f}, Holm {test.holm:.4f} | {share:.2f} |"
        )
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    comparison = load_comparison(parser.parse_args().results)
    reported = [name for name in comparison.classes if name in REPORTED]
    chosen = [name for name in comparison.classes if name not in REPORTED]
    titles = [*shown(comparison), "P-AUROC: mean", "joint", "AU-PRO: mean", "joint"]
    print("| class | I-AUROC: " + " | ".join(titles) + " |")
    print("|---" * (len(titles) + 1) + "|")
    print("\n".join(class_rows(comparison, reported, "average of these")))
    if chosen:
        print("\n".join(class_rows(comparison, chosen, "average of those it was chosen on")))
    print(
        "\n| joint against | the other | difference | p | error of joint ÷ error of the other |\n|---|---|---|---|---|"
    )
    print("\n".join(paired(comparison, reported)))
    for title, names in (("seeds, reported", reported), ("seeds, chosen on", chosen))[: 2 if chosen else 1]:
        seeds = np.mean([of_seeds(comparison, name, JOINT) for name in names], 0)
        print(f"\n{title}: " + ", ".join(f"{v:.4f}" for v in seeds))

"""What the paper prints in tables I to III, from `paper_tables.csv` beside this file, and its names for ours.

Zhang, Cao, Zhang, Shen, "Attention Fusion Reverse Distillation for Multi-Lighting Image Anomaly Detection". Its data
set is Eyecandies, its RD in tables I and III is light L6 of table II, its AE is the SSIM autoencoder of the data set's
leaderboard, its AFRD is our attention. Knows no results of ours.
"""

import csv
from collections.abc import Sequence
from functools import cache
from importlib import resources

CLASSES = (
    "CandyCane",
    "ChocolateCookie",
    "ChocolatePraline",
    "Confetto",
    "GummyBear",
    "HazelnutTruffle",
    "LicoriceSandwich",
    "Lollipop",
    "Marshmallow",
    "PeppermintCandy",
)
LIGHTS = 6
FIXED_LIGHT = 5  # index of L6
TABLE_1 = {
    "ganomaly": "ganomaly",
    "dfkde": "dfkde",
    "dfm": "dfm",
    "ae": "ssim-ae",
    "stfpm": "stfpm",
    "padim": "padim",
    "rd": "rd",
    "afrd": "attention",
}
"""Columns of table I: the paper's name → our method."""

TABLE_3 = {"rd": "rd", "mean": "mean", "afrd": "attention"}
"""Columns of table III, for each metric."""


@cache
def printed() -> dict[tuple[str, str, str, str, str], float]:
    """(table, class, method, light, metric) → value. Light is "L1" … "L6" in table II, else empty."""
    text = resources.files("afrd.comparison").joinpath("paper_tables.csv").read_text(encoding="utf-8")
    return {
        (row["table"], row["category"], row["method"], row["light"], row["metric"]): float(row["value"])
        for row in csv.DictReader(text.splitlines())
    }


AVERAGES = {
    ("I", "ganomaly", "", "image_auroc"): 0.507,
    ("I", "dfkde", "", "image_auroc"): 0.555,
    ("I", "dfm", "", "image_auroc"): 0.692,
    ("I", "ae", "", "image_auroc"): 0.701,
    ("I", "stfpm", "", "image_auroc"): 0.708,
    ("I", "padim", "", "image_auroc"): 0.794,
    ("I", "rd", "", "image_auroc"): 0.796,
    ("I", "afrd", "", "image_auroc"): 0.861,
    ("II", "rd", "L1", "image_auroc"): 0.807,
    ("II", "rd", "L2", "image_auroc"): 0.828,
    ("II", "rd", "L3", "image_auroc"): 0.829,
    ("II", "rd", "L4", "image_auroc"): 0.799,
    ("II", "rd", "L5", "image_auroc"): 0.827,
    ("II", "rd", "L6", "image_auroc"): 0.796,
    ("III", "rd", "", "image_auroc"): 0.796,
    ("III", "mean", "", "image_auroc"): 0.834,
    ("III", "afrd", "", "image_auroc"): 0.861,
    ("III", "rd", "", "pixel_auroc"): 0.969,
    ("III", "mean", "", "pixel_auroc"): 0.975,
    ("III", "afrd", "", "pixel_auroc"): 0.982,
}
"""(table, method, light, metric) → the printed average over the ten classes; some are rounded down from a half."""


def average(
    table: str, names: Sequence[str], method: str, light: str = "", metric: str = "image_auroc"
) -> float | None:
    """Over some classes; the printed one over all ten. None where the paper lacks one of them, or there are none."""
    if set(names) == set(CLASSES):
        return AVERAGES.get((table, method, light, metric))
    values = [value(table, name, method, light, metric) for name in names]
    return None if not values or None in values else sum(values) / len(values)


def value(table: str, category: str, method: str, light: str = "", metric: str = "image_auroc") -> float | None:
    """One printed value; None where the paper has none."""
    return printed().get((table, category, method, light, metric))

"""Cells of the tables from the series of a comparison: value, interval and seeds, or why there is none."""

from collections.abc import Sequence

from afrd.comparison.grid import Cell
from afrd.comparison.methods import get_method
from afrd.comparison.series import MEAN_SCORE, Column, Comparison
from afrd.comparison.statistics import Area, Mean, areas, average, over_classes, over_seeds

OURS = ("mean", "attention", "paper-attention", "late-mean", "late-max", "joint", "nearest", "auto")
METRICS = {"image_auroc": "I-AUROC", "pixel_auroc": "P-AUROC", "au_pro": "AU-PRO"}


class Scoreboard:
    """Every class is resampled once, all its columns together."""

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison
        self._areas: dict[tuple[str, Column], Area] = {}
        for name, captures in comparison.classes.items():
            if captures is not None and 0 < captures.labels.sum() < len(captures.labels):
                runs = {column: series.runs for (of, column), series in comparison.series.items() if of == name}
                self._areas |= {(name, c): area for c, area in areas(name, captures.labels, runs).items()}

    def has(self, name: str, column: Column, metric: str) -> bool:
        """Whether there is a value."""
        return self.cell(name, column, metric).value is not None

    def no_map(self, column: Column, metric: str) -> bool:
        """Whether the column cannot have the metric."""
        return metric != "image_auroc" and (not get_method(column.method).has_map or column.policy == MEAN_SCORE)

    def cell(self, name: str, column: Column, metric: str) -> Cell:
        """Of one class."""
        series = self.comparison.series.get((name, column))
        failed = len(self.comparison.failed.get((name, column), ()))
        if self.no_map(column, metric):
            return Cell("no map")
        if series is None:
            return Cell("failed", failed=failed) if failed else Cell("missing")
        estimate = self._estimate(name, column, metric)
        if estimate is None:
            return Cell("undefined", text=series.undefined.get(metric, ""))
        light = "" if series.light is None else f"(L{series.light + 1})"
        return Cell("value", estimate.value, estimate.interval, len(series.runs.seeds), failed, text=light)

    def average(self, names: Sequence[str], column: Column, metric: str) -> Cell:
        """Over classes, all of which have a value. seeds: the fewest of a class."""
        seeds = min(len(self.comparison.series[name, column].runs.seeds) for name in names)
        failed = sum(len(self.comparison.failed.get((name, column), ())) for name in names)
        if metric == "image_auroc":
            mean = average([self._areas[name, column] for name in names])
        else:
            mean = over_classes([self._estimate(name, column, metric) for name in names])
        return Cell("value", mean.value, mean.interval, seeds, failed)

    def defect_averages(self, defect: str, names: Sequence[str], columns: Sequence[Column]) -> dict[Column, Cell]:
        """I-AUROC on good captures and those with the defect type, over the classes with two of them or more."""
        drawn: dict[Column, list[Area]] = {column: [] for column in columns}
        for name in names:
            captures = self.comparison.classes[name]
            part = captures.with_defect(defect)
            labels = captures.labels[part]
            if labels.sum() < 2 or (~labels).sum() < 2:
                continue
            runs = {c: self.comparison.series[name, c].runs for c in columns}
            runs = {c: run._replace(scores=run.scores[:, part]) for c, run in runs.items()}
            for column, area in areas(f"{name} {defect}", labels, runs).items():
                drawn[column].append(area)
        cells = {}
        for column, found in drawn.items():
            if not found:
                cells[column] = Cell("missing")
                continue
            mean = average(found)
            seeds = min(len(self.comparison.series[name, column].runs.seeds) for name in names)
            cells[column] = Cell("value", mean.value, mean.interval, seeds, text=f"({len(found)})")
        return cells

    def _estimate(self, name: str, column: Column, metric: str) -> Area | Mean | None:
        if metric == "image_auroc":
            return self._areas.get((name, column))
        runs = self.comparison.series[name, column].pixel[metric]
        if any(value is None for value, _ in runs):
            return None
        return over_seeds(*zip(*runs, strict=True))

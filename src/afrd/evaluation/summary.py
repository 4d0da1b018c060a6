"""An evaluation as a table in the terminal."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from afrd.evaluation.metrics import Estimate
from afrd.evaluation.result import Evaluation, Metrics


def print_evaluation(evaluation: Evaluation, console: Console) -> None:
    """Print the three metrics with their intervals, overall and per defect type, and the verdicts at the threshold."""
    table = Table(title=escape(f"{evaluation.category}, {evaluation.split}"), title_justify="left")
    table.add_column("captures")
    table.add_column("good", justify="right")
    table.add_column("defective", justify="right")
    for name in ("I-AUROC", "P-AUROC", "AU-PRO"):
        table.add_column(name, justify="right")
    _add_row(table, "all", evaluation.metrics)
    for defect, metrics in evaluation.per_defect.items():
        _add_row(table, defect, metrics)
    console.print(table)

    for name, estimate in (
        ("I-AUROC", evaluation.metrics.image_auroc),
        ("P-AUROC", evaluation.metrics.pixel_auroc),
        ("AU-PRO", evaluation.metrics.au_pro),
    ):
        if estimate.reason:
            console.print(f"{name}: {escape(estimate.reason)}")
    counts = evaluation.confusion
    console.print(
        f"At the threshold {evaluation.threshold:.4g}: {counts['found']} of {evaluation.n_bad} defective parts found, "
        f"{counts['false alarm']} of {evaluation.n_good} good parts called anomalous.",
        highlight=False,
    )
    console.print(
        f"{evaluation.seconds_per_capture:.3g} s a capture (median; reading the images is not in it).", highlight=False
    )
    faulty = [result for result in evaluation.captures if result.light_faults]
    if faulty:
        console.print(
            f"{len(faulty)} of {len(evaluation.captures)} captures show a fault of the lights, first {faulty[0].id}: "
            f"{faulty[0].light_faults[0]}. {sum(not result.judged for result in faulty)} of them were not judged and "
            f"count nowhere above.",
            highlight=False,
            markup=False,
        )


def _add_row(table: Table, name: str, metrics: Metrics) -> None:
    estimates = (metrics.image_auroc, metrics.pixel_auroc, metrics.au_pro)
    table.add_row(escape(name), str(metrics.n_good), str(metrics.n_bad), *map(_written, estimates))


def _written(estimate: Estimate) -> str:
    if estimate.value is None:
        return "–"
    between = f" [dim]{estimate.low:.3f}–{estimate.high:.3f}[/dim]" if estimate.interval else ""
    return f"{estimate.value:.3f}{between}"

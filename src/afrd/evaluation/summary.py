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
    if parts := evaluation.parts:
        of_parts = parts.confusion
        console.print(
            f"One verdict for a part, from all its views: {of_parts['found']} of {parts.n_bad} bad parts "
            f"found, {of_parts['false alarm']} of {parts.n_good} good ones called anomalous; I-AUROC of "
            f"parts {_written(parts.auroc)} by the worst view, {_written(parts.mean_auroc)} by the mean of the views.",
            highlight=False,
        )
    if evaluation.stated:
        console.print(evaluation.stated, highlight=False, markup=False)
    console.print(
        f"{evaluation.seconds_per_capture:.3g} s a capture (median; reading the images is not in it).", highlight=False
    )
    good, bad = evaluation.light_faults
    if good + bad:
        first = next(result for result in evaluation.captures if not result.judged)
        why = next(iter((*first.light_faults, *first.rig_notes)), "its lights could not be trusted")
        console.print(
            f"{good} good and {bad} defective parts have the verdict light fault, first {first.id}: "
            f"{why}. I-AUROC, P-AUROC and AU-PRO leave them out, and they count neither as found nor as alarms.",
            highlight=False,
            markup=False,
        )
    noted = [result for result in evaluation.captures if result.judged and result.light_faults]
    for by_all, how in ((False, "without a light that failed"), (True, "by all lights, some of them unlike training")):
        judged = [result for result in noted if result.left_out is not by_all]
        if judged:
            console.print(
                f"{len(judged)} captures were judged {how}, first {judged[0].id}: {judged[0].light_faults[0]}.",
                highlight=False,
                markup=False,
            )
    unlike = [result for result in evaluation.captures if result.rig_notes]
    if unlike:
        console.print(
            f"{len(unlike)} of {len(evaluation.captures)} captures were taken by a rig unlike training's, first "
            f"{unlike[0].id}: {unlike[0].rig_notes[0]}.{_wider(evaluation)}",
            highlight=False,
            markup=False,
        )


def _wider(evaluation: Evaluation) -> str:
    wide = evaluation.judged_by_the_wider
    return f" {len(wide)} were judged by the threshold of such captures, {wide[0].threshold:.4g}." if wide else ""


def _add_row(table: Table, name: str, metrics: Metrics) -> None:
    estimates = (metrics.image_auroc, metrics.pixel_auroc, metrics.au_pro)
    table.add_row(escape(name), str(metrics.n_good), str(metrics.n_bad), *map(_written, estimates))


def _written(estimate: Estimate) -> str:
    if estimate.value is None:
        return "–"
    between = f" [dim]{estimate.low:.3f}–{estimate.high:.3f}[/dim]" if estimate.interval else ""
    return f"{estimate.value:.3f}{between}"

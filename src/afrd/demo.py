"""The whole system on one page: render captures, learn from good ones, compare four fusions, report.

Everything lands in one folder; an unfinished run continues where it stopped.
"""

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from afrd.cli.bars import bar, training_bars
from afrd.datasets import open_dataset
from afrd.evaluation import Evaluation, evaluate, write_report
from afrd.evaluation.visual import contact_sheet, write_picture
from afrd.inspector import Inspector
from afrd.render import render_dataset
from afrd.training import TrainConfig, train

CLASSES = ("Confetto", "ChocolateCookie")
FUSIONS = {"one light (all spots)": "single:0", "mean of six": "mean", "attention": "attention", "joint": "joint"}
# as many captures and epochs as fit into some minutes on two cores; real training takes 60 captures and 100 epochs
COUNTS = {"train": 40, "val": 10, "test": 24}
EPOCHS = 25


def run_demo(
    out: Path,
    seed: int = 0,
    *,
    counts: Mapping[str, int] = COUNTS,
    size: int = 256,
    epochs: int = EPOCHS,
) -> dict[tuple[str, str], Evaluation]:
    """Into `out`: `data`, `runs`, `reports`, `pictures`. Returns the evaluation per class and fusion.

    counts: captures per split, as `render_dataset` takes them. size: of the images and of the model, pixels.
    """
    console = Console()
    with bar("rendering captures") as progress:
        render_dataset(out / "data", CLASSES, **counts, size=size, seed=seed, progress=progress)
    results = {}
    for category in CLASSES:
        test = open_dataset(out / "data", category, "test_public")
        for name, fusion in FUSIONS.items():
            config = TrainConfig.acting(fusion, image_size=size, epochs=epochs, seed=seed, false_alarm_rate=0.1)
            run = out / "runs" / category / fusion.replace(":", "-")
            _train(out / "data", category, run, config)
            inspector = Inspector.load(run)
            with bar(f"inspecting {category}, {name}") as progress:
                results[category, name] = evaluation = evaluate(inspector, test, progress=progress)
        write_report(out / "reports" / f"{category}.html", evaluation, test)
        worst = max((r for r in evaluation.captures if r.anomalous), key=lambda r: r.score)
        capture = test[[r.id for r in test.records].index(worst.id)]
        write_picture(out / "pictures" / f"{category}.png", contact_sheet(capture, inspector.inspect_capture(capture)))
    console.print(_table(results))
    console.print(f"reports:  {', '.join(str(out / 'reports' / f'{c}.html') for c in CLASSES)}")
    console.print(f"pictures: {', '.join(str(out / 'pictures' / f'{c}.png') for c in CLASSES)}")
    return results


def _train(data: Path, category: str, run: Path, config: TrainConfig) -> None:
    train_, val = (open_dataset(data, category, split) for split in ("train", "val"))
    with training_bars(f"{category}, {config.fusion}") as (on_features, on_epoch):
        train(train_, run, config, holdout=val, resume=True, on_features=on_features, on_epoch=on_epoch)


def _table(results: dict[tuple[str, str], Evaluation]) -> Table:
    table = Table(title="Good or not: I-AUROC [95 % interval]; where: P-AUROC, AU-PRO")
    for column in ("class", "fusion", "I-AUROC", "P-AUROC", "AU-PRO"):
        table.add_column(column)
    for (category, name), evaluation in results.items():
        low, high = evaluation.image_auroc_ci
        image = f"{evaluation.image_auroc:.3f} [{low:.3f}, {high:.3f}]"
        table.add_row(category, name, image, f"{evaluation.pixel_auroc:.3f}", f"{evaluation.au_pro:.3f}")
    return table

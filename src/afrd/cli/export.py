"""The command that makes a trained run into one file for a station."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from afrd.cli.options import Category, Data, Pattern


def export(
    run: Annotated[Path, typer.Argument(help="Run folder that afrd train wrote.")],
    data: Data,
    to: Annotated[Literal["onnx", "openvino", "torch"], typer.Option(help="Runtime of the station.")],
    out: Annotated[Path, typer.Option(help="File to write: .onnx, .xml (OpenVINO, with a .bin beside it) or .pt2.")],
    precision: Annotated[
        Literal["fp32", "fp16", "int8"],
        typer.Option(help="fp32 gives the run's verdicts; fp16 halves the file; int8 is fastest, for onnx, openvino."),
    ] = "fp32",
    category: Category = None,
    calibrate: Annotated[
        str, typer.Option(help="Split of good captures as the station takes them; int8 is calibrated with it.")
    ] = "train",
    split: Annotated[
        str | None,
        typer.Option(help="Labelled split to compare on. [default: test_public where there is one, else --calibrate]"),
    ] = None,
    pattern: Pattern = None,
) -> None:
    """Make one file for a station from a run, and check that it gives the run's maps, scores and verdicts."""
    from afrd.checkpoint import load_card
    from afrd.cli.bars import bar
    from afrd.datasets import open_dataset, splits
    from afrd.export import export_run

    lights = load_card(run).lights.rig()
    captures = open_dataset(data, category, calibrate, pattern=pattern).picked_for(lights)
    if split is None:
        there = splits(data, category, pattern=pattern)
        split = next((name for name in there if name in ("test", "test_public")), None)
    compare_on = open_dataset(data, category, split, pattern=pattern).picked_for(lights) if split else None
    with bar("comparing with the run") as progress:
        report = export_run(run, captures, out, to=to, precision=precision, compare_on=compare_on, progress=progress)
    for line in report.lines():
        typer.echo(line)

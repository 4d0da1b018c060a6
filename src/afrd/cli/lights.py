"""The command that asks which lights are needed."""

from pathlib import Path
from typing import Annotated

import typer

from afrd.cli.options import Category, Data, Device, Pattern, checked


def lights(
    data: Data,
    category: Category = None,
    out: Annotated[Path | None, typer.Option(help="HTML file to write.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write all subsets and the recommendation to this file.")] = None,
    pattern: Pattern = None,
    image_size: Annotated[int, typer.Option(help="Captures are resized to this square; a multiple of 32.")] = 256,
    teacher: Annotated[str, typer.Option(help="As of afrd train.")] = "efficientnet_lite0",
    teacher_weights: Annotated[str | None, typer.Option(help="As of afrd train.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same study.")] = 0,
    cache_dir: Annotated[
        Path | None, typer.Option(help="Keep what was read of the captures here, for the next study.")
    ] = None,
    device: Device = "cpu",
) -> None:
    """Which lights the parts need: every subset, judged by test labels, or by defects painted into good parts."""
    from afrd.cli.bars import bar
    from afrd.datasets import open_dataset, splits
    from afrd.families import TrainConfig
    from afrd.files import require_file_target
    from afrd.lighting import light_study

    for file in (out, json):
        if file:
            require_file_target(file)
    there = splits(data, category, pattern=pattern)
    captures = open_dataset(data, category, "train", pattern=pattern)
    holdout = open_dataset(data, category, "val", pattern=pattern) if "val" in there else None
    tested = next((name for name in there if name in ("test", "test_public")), None)
    test = open_dataset(data, category, tested, pattern=pattern) if tested else None
    options = {"image_size": image_size, "teacher": teacher, "teacher_weights": teacher_weights, "seed": seed}
    config = checked(TrainConfig, fusion="joint", **options)
    with bar("reading parts") as on_parts, bar("judging subsets of lights") as on_subsets:
        study = light_study(
            captures,
            holdout,
            test,
            config=config,
            cache_dir=cache_dir,
            device=device,
            on_parts=on_parts,
            on_subsets=on_subsets,
        )
    for line in study.words():
        typer.echo(line)
    if json:
        study.write_json(json)
    if out:
        from afrd.lighting.page import write_page

        write_page(out, study)
        typer.echo(f"wrote {out}")

"""The commands together, and how a failure ends.

Exit status: 0 done, 1 failed (an error that says what to fix), 2 wrong usage.
"""

import sys
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

from afrd.cli import benchmark, export, inspect, lights, serve, train, views
from afrd.cli.options import Category, Data, Pattern
from afrd.console import prepare_process, show_warning
from afrd.errors import AfrdError, MissingExtraError

app = typer.Typer(
    help="Find defects on parts photographed under several lights. Learns from good parts only.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Entry point of the `afrd` command."""
    warnings.showwarning = show_warning
    prepare_process()
    try:
        app()
    except AfrdError as error:
        typer.echo(f"afrd: {error}", err=True)
        sys.exit(1)
    except ModuleNotFoundError as error:
        missing = MissingExtraError.of(error)
        if missing is None:
            raise
        typer.echo(f"afrd: {missing}", err=True)
        sys.exit(1)
    except OSError as error:
        typer.echo(f"afrd: {error.filename or 'input or output'}: {error.strerror or error}", err=True)
        sys.exit(1)


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    if version:
        from afrd import __version__

        typer.echo(f"afrd {__version__}")
        raise typer.Exit


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for captures, runs, reports and pictures.")] = Path("demo"),
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Render captures, train single light, mean, attention and joint, and compare them: the whole system in minutes."""
    from afrd.demo import run_demo

    run_demo(out, seed=seed)


@app.command()
def render(
    out: Annotated[Path, typer.Argument(help="Folder for the data set; an unfinished one is continued.")],
    classes: Annotated[str | None, typer.Option(help="Classes, separated by commas. [default: all]")] = None,
    train: Annotated[int, typer.Option(min=0, help="Good captures to learn from.")] = 60,
    val: Annotated[int, typer.Option(min=0, help="Good captures for the threshold.")] = 12,
    test: Annotated[int, typer.Option(min=0, help="Captures of test_public, half of them bad.")] = 48,
    test_private: Annotated[int, typer.Option(min=0, help="Captures of test_private, without labels.")] = 0,
    size: Annotated[int, typer.Option(min=32, help="Side of the images in pixels.")] = 256,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same files.")] = 0,
    camera: Annotated[
        bool,
        typer.Option(help="Noise, vignetting, defocus, drift and JPEG of a station's camera; or hardly any noise."),
    ] = True,
    defect_size: Annotated[
        str | None,
        typer.Option(help="Defects so many pixels across, e.g. 10..30. [default: relative to the part]"),
    ] = None,
    rig: Annotated[
        str | None, typer.Option(help="Rig file with other lights, or the name of a shipped one (docs/lights.md).")
    ] = None,
    llvm: Annotated[
        bool, typer.Option("--llvm", help="Large pictures in less time; needs LLVM's library (Debian: libllvm19).")
    ] = False,
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0 is one per core.")] = 0,
) -> None:
    """Render your own multi-light captures, in the Eyecandies layout."""
    from afrd.cli.bars import bar
    from afrd.render import CLASSES, render_dataset
    from afrd.render.rig_file import read_rig

    stands = read_rig(rig) if rig else None
    names = [name.strip() for name in classes.split(",")] if classes else list(CLASSES)
    with bar("rendering objects") as progress:
        render_dataset(
            out,
            names,
            train=train,
            val=val,
            test=test,
            test_private=test_private,
            size=size,
            seed=seed,
            camera=camera,
            defect_size=_between(defect_size) if defect_size else None,
            rig=stands,
            llvm=llvm,
            workers=workers,
            progress=progress,
        )
    each = train + val + test + test_private
    typer.echo(f"{out}: {each} objects of each of {', '.join(names)}")


def _between(text: str) -> tuple[float, float]:
    """LEAST..MOST."""
    try:
        least, most = map(float, text.split(".."))
    except ValueError:
        raise typer.BadParameter(f"{text!r}: expected two sizes in pixels, e.g. 10..30") from None
    return least, most


@app.command()
def check(data: Data, category: Category = None, pattern: Pattern = None) -> None:
    """List everything that is wrong with a data set, or what it holds. Exit status 1 if anything is wrong."""
    from afrd.cli.bars import bar
    from afrd.datasets import categories, check_dataset, open_dataset, splits
    from afrd.imaging.motion import seen_shifts, shifts_in_words

    with bar("reading files") as progress:
        problems = check_dataset(data, category, pattern=pattern, progress=progress)
    for problem in problems:
        typer.echo(str(problem))
    if problems:
        typer.echo(f"{len(problems)} problem{'s' if len(problems) > 1 else ''} in {data}", err=True)
        raise typer.Exit(1)
    typer.echo(f"{data}: no problems found")
    for name in [category] if category else categories(data, pattern=pattern):
        sets = [open_dataset(data, name, split, pattern=pattern) for split in splits(data, name, pattern=pattern)]
        counts = ", ".join(f"{captures.split} {len(captures)}{_of_parts(captures)}" for captures in sets)
        names, pixels = sets[0].lights.names, sets[0].pixels
        values = "" if pixels is None or pixels.as_they_are else f"; {pixels}"
        typer.echo(f"  {name}: captures {counts}; {len(names)} lights: {', '.join(names)}{values}")
        if len(names) > 1 and len(sets[0]):
            typer.echo(
                f"    {shifts_in_words(names, *seen_shifts(c.images for c in sets[0][:: -(-len(sets[0]) // 8)]))}"
            )


def _of_parts(captures: Any) -> str:
    parts = len(set(captures.groups))
    return f" of {parts} parts" if parts < len(captures) else ""


app.command(cls=train.TrainCommand)(train.train)
for command in (
    inspect.evaluate,
    inspect.predict,
    inspect.report,
    lights.lights,
    views.views,
    export.export,
    serve.serve,
):
    app.command()(command)
app.add_typer(benchmark.app, name="benchmark")

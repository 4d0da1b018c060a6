"""`afrd benchmark`: run a comparison of methods, and write its tables and figures."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from typer.core import TyperGroup

from afrd.cli.options import Pattern, checked

Folder = Annotated[Path, typer.Argument(help="The --out folder of afrd benchmark.")]


class SuiteGroup(TyperGroup):
    """`afrd benchmark SUITE …` is short for `afrd benchmark run SUITE …`."""

    def resolve_command(self, ctx, args):
        """What is no command is a suite."""
        return super().resolve_command(ctx, args if args[0] in self.commands else ["run", *args])


app = typer.Typer(
    cls=SuiteGroup,
    no_args_is_help=True,
    help="Compare methods: afrd benchmark SUITE --data DATA --out DIR, then tables and figures of DIR.",
)


@app.command()
def run(
    suite: Annotated[str, typer.Argument(help="table1, table2, table3, all, or a YAML file (classes, runs).")],
    data: Annotated[Path, typer.Option(help="Data set: your own folders, or a public one (docs/datasets.md).")],
    out: Annotated[Path, typer.Option(help="Folder of the comparison; an unfinished one is continued.")],
    classes: Annotated[str | None, typer.Option(help="Separated by commas. [default: the suite's, else all]")] = None,
    methods: Annotated[str | None, typer.Option(help="Separated by commas. [default: the suite's]")] = None,
    lights: Annotated[
        str | None, typer.Option(help="For methods that read one image: numbers, mean-image. [default: the suite's]")
    ] = None,
    seeds: Annotated[str | None, typer.Option(help="Separated by commas. [default: the suite's, else 0]")] = None,
    disturb: Annotated[
        str | None,
        typer.Option(
            help="Judge under these as well: standard, or noise:2,jpeg:90,… [default: the suite's, else none]"
        ),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Of every method that is trained by gradient.")] = 100,
    batch_size: Annotated[int, typer.Option(min=1)] = 8,
    image_size: Annotated[int, typer.Option(help="Captures are resized to this square; a multiple of 32.")] = 256,
    teacher: Annotated[str, typer.Option(help="timm backbone of every method that takes one.")] = "efficientnet_lite0",
    teacher_weights: Annotated[
        str | None, typer.Option(help="File (.pth, .safetensors). [default: the teacher's ImageNet weights]")
    ] = None,
    precision: Annotated[Literal["32-true", "bf16-mixed"], typer.Option(help="While training.")] = "32-true",
    loss: Annotated[Literal["position", "flat"], typer.Option(help="Of ours: see afrd train.")] = "position",
    split: Annotated[str, typer.Option(help="What is tested; test and test_public are the same.")] = "test_public",
    pattern: Pattern = None,
    accelerator: Annotated[
        Literal["cpu", "cuda", "mps"], typer.Option(help="Where ours train; the rest computes on the CPU.")
    ] = "cpu",
    workers: Annotated[int, typer.Option(min=0, help="Jobs at once; 0 is one per core.")] = 0,
    threads: Annotated[int, typer.Option(min=1, help="Of each job.")] = 1,
    ray: Annotated[str | None, typer.Option(help="Run on a Ray cluster: its address, or local.")] = None,
) -> None:
    """Run what has no result yet. Exit status 1 if a job failed; its row says why."""
    import os

    from afrd.comparison.job import Settings
    from afrd.comparison.pools import Processes, Ray
    from afrd.comparison.runner import run_comparison
    from afrd.comparison.suite import jobs_of, load_suite, narrowed
    from afrd.datasets import categories, open_dataset

    settings = checked(
        Settings,
        teacher=teacher,
        teacher_weights=str(Path(teacher_weights).resolve()) if teacher_weights else None,
        image_size=image_size,
        epochs=epochs,
        batch_size=batch_size,
        precision=precision,
        loss=loss,
        split=split,
        pattern=pattern,
        accelerator=accelerator,
        threads=threads,
    )
    if teacher_weights == "random":
        raise typer.BadParameter("a comparison of random teachers says nothing", param_hint="--teacher-weights")
    chosen = narrowed(load_suite(suite), _list(classes), _list(methods), _list(lights), _numbers(seeds), _list(disturb))
    names = categories(data, pattern=pattern)
    jobs = jobs_of(chosen, names, len(open_dataset(data, names[0], "train", pattern=pattern).lights))
    slots = workers or max(1, (os.cpu_count() or 1) // threads)

    def pool():
        return Ray(ray, slots, threads) if ray else Processes(slots, threads)

    failed = run_comparison(data.resolve(), jobs, settings, out.resolve(), pool, _say)
    typer.echo(f"{out}: {len(jobs) - len(failed)} of {len(jobs)} jobs done; afrd benchmark tables {out}")
    if failed:
        typer.echo(f"{len(failed)} jobs failed: {', '.join(job.id for job in failed)}", err=True)
        raise typer.Exit(1)


@app.command()
def tables(
    folder: Folder,
    out: Annotated[Path | None, typer.Option(help="Where to write them. [default: FOLDER]")] = None,
) -> None:
    """Write tables I to III of the paper, and more, as Markdown, HTML and LaTeX."""
    from afrd.comparison.results import Store
    from afrd.comparison.tables import write_tables

    Store(folder).write_csv()
    for path in write_tables(folder, out or folder):
        typer.echo(f"wrote {path}")


@app.command()
def classes(
    data: Annotated[Path, typer.Argument(help="Data set.")],
    out: Annotated[Path, typer.Option(help="PNG file to write.")],
) -> None:
    """Draw one picture of a data set: its classes as rows, its lights as columns."""
    from afrd.comparison.figures import contact_sheet_classes

    contact_sheet_classes(data, out)
    typer.echo(f"wrote {out}")


@app.command()
def figures(
    folder: Folder,
    data: Annotated[Path, typer.Option(help="The data set of the comparison.")],
    out: Annotated[Path | None, typer.Option(help="Where to write them. [default: FOLDER]")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the runs that are shown.")] = 0,
    captures: Annotated[int, typer.Option(min=1, help="To show of each class.")] = 1,
    only: Annotated[
        str | None, typer.Option("--classes", help="Separated by commas. [default: all that have results]")
    ] = None,
) -> None:
    """Draw figures 4 and 5 of the paper: captures under their lights, masks, and the maps of each method."""
    from afrd.comparison.figures import write_figures

    shown = {"categories": _list(only) or None, "captures_per_class": captures, "seed": seed}
    for path in write_figures(folder, data, out or folder, **shown):
        typer.echo(f"wrote {path}")


def _say(p) -> None:
    """A line a job: they take minutes each, and a log of them is worth keeping."""
    if p.job is None:
        typer.echo(f"{p.total - p.done} of {p.total} jobs to run, {p.running} running", err=True)
        return
    left = ""
    if p.seconds_left is not None:
        hours, minutes = divmod(round(p.seconds_left / 60), 60)
        left = f", {hours} h {minutes:02d} min left"
    counts = f"{p.done} of {p.total} done, {p.running} running, {p.failed} failed{left}"
    typer.echo(f"{p.status:6} {p.job.id}   [{counts}]", err=True)


def _list(text: str | None) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()] if text else []


def _numbers(text: str | None) -> list[int]:
    parts = _list(text)
    wrong = [part for part in parts if not part.isdecimal()]
    if wrong:
        raise typer.BadParameter(f"{wrong[0]!r} is no seed; write numbers such as 0,1,2", param_hint="--seeds")
    return [int(part) for part in parts]

"""The command line: parse and call, nothing else. A command imports what it needs when it runs, so help is instant.

Exit status: 0 done, 1 failed (an error that says what to mend), 2 wrong usage.
"""

import sys
import warnings
from pathlib import Path
from typing import Annotated, Literal

import typer

from afrd import cli_benchmark, cli_export, cli_inspect, cli_serve
from afrd.cli_options import Category, Data, OnLightFault, Pattern, checked
from afrd.errors import AfrdError, MissingExtraError, show_warning

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
    out: Annotated[Path, typer.Argument(help="Folder for the data set; a started one is gone on with.")],
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
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0 is one per core.")] = 0,
) -> None:
    """Render your own multi-light captures, in the Eyecandies layout."""
    from afrd.progress import bar
    from afrd.render import CLASSES, render_dataset

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
            workers=workers,
            progress=progress,
        )


@app.command()
def check(data: Data, category: Category = None, pattern: Pattern = None) -> None:
    """List everything that is wrong with a data set, or what it holds. Exit status 1 if anything is wrong."""
    from afrd.datasets import categories, check_dataset, open_dataset, splits
    from afrd.progress import bar

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
        counts = ", ".join(f"{captures.split} {len(captures)}" for captures in sets)
        names = sets[0].lights.names
        typer.echo(f"  {name}: captures {counts}; {len(names)} lights: {', '.join(names)}")


_DISTILLATION = ("epochs", "batch_size", "learning_rate", "loss", "precision", "compile")


@app.command()
def train(
    context: typer.Context,
    data: Data,
    out: Annotated[Path, typer.Option(help="Run folder to write.")],
    category: Category = None,
    fusion: Annotated[
        str,
        typer.Option(
            help="auto (the best known: joint), joint, attention, mean, single:K (light K alone), paper-attention."
        ),
    ] = "auto",
    teacher: Annotated[
        str, typer.Option(help="timm backbone with strides 4, 8, 16, e.g. wide_resnet50_2.tv_in1k.")
    ] = "efficientnet_lite0",
    teacher_weights: Annotated[
        str | None,
        typer.Option(help="File (.pth, .safetensors) or 'random'. [default: the teacher's ImageNet weights]"),
    ] = None,
    image_size: Annotated[int, typer.Option(help="Captures are resized to this square; a multiple of 32.")] = 256,
    epochs: Annotated[int, typer.Option(min=1)] = 100,
    batch_size: Annotated[int, typer.Option(min=1, help="Captures a step.")] = 8,
    learning_rate: Annotated[
        float | None, typer.Option(help="Of AdamW. [default: 4e-4 as in the paper; 1.5e-3 below 4000 steps]")
    ] = None,
    loss: Annotated[
        Literal["position", "flat"], typer.Option(help="position (eq. 5 of the paper) or flat (as in RD's code).")
    ] = "position",
    top_share: Annotated[
        float, typer.Option(min=0, max=1, help="Score: mean of this share of the highest pixels; 0 is the maximum.")
    ] = 0.0,
    false_alarm_rate: Annotated[
        float, typer.Option(help="Share of good parts that may be called anomalous; sets the threshold.")
    ] = 0.05,
    holdout_share: Annotated[
        float, typer.Option(help="Of train, held out for the threshold where there is no val split.")
    ] = 0.1,
    on_light_fault: OnLightFault = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    cache: Annotated[
        Literal["auto", "memory", "disk", "off"],
        typer.Option(help="Teacher features: auto (memory, else disk), memory, disk, off (recompute)."),
    ] = "auto",
    cache_gb: Annotated[float, typer.Option(min=0, help="Memory that features may take, in GB.")] = 4.0,
    cache_dir: Annotated[
        Path | None, typer.Option(help="Keep features on disk here, for other runs. [default: the run, until it ends]")
    ] = None,
    pattern: Pattern = None,
    accelerator: Annotated[str, typer.Option(help="auto, cpu, cuda, mps.")] = "auto",
    devices: Annotated[int, typer.Option(min=1, help="Processes for distributed training.")] = 1,
    precision: Annotated[
        Literal["32-true", "bf16-mixed"], typer.Option(help="Of bottleneck, student and loss while training.")
    ] = "32-true",
    compile: Annotated[
        bool, typer.Option("--compile", help="Bottleneck and student with torch.compile; takes a C++ compiler.")
    ] = False,
) -> None:
    """Learn what good parts look like."""
    from afrd.card import JOINT, resolve_fusion
    from afrd.datasets import open_dataset, splits
    from afrd.progress import is_main_process, training_bars
    from afrd.training import TrainConfig
    from afrd.training import train as run_training

    config = checked(
        TrainConfig,
        fusion=fusion,
        teacher=teacher,
        teacher_weights=teacher_weights,
        image_size=image_size,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        loss=loss,
        seed=seed,
        top_share=top_share,
        holdout_share=holdout_share,
        false_alarm_rate=false_alarm_rate,
        on_light_fault=on_light_fault or "reject",
        cache=cache,
        cache_gb=cache_gb,
        accelerator=accelerator,
        devices=devices,
        precision=precision,
        compile=compile,
    )
    given = [name for name in _DISTILLATION if context.get_parameter_source(name).name == "COMMANDLINE"]
    if given and resolve_fusion(fusion) == JOINT:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        typer.echo(f"{options}: without effect, the joint model is fitted without gradients; see --fusion", err=True)
    captures = open_dataset(data, category, "train", pattern=pattern)
    holdout = open_dataset(data, category, "val", pattern=pattern) if "val" in splits(data, category) else None
    with training_bars() as (on_features, on_epoch):
        card = run_training(
            captures,
            out,
            config,
            holdout=holdout,
            resume=resume,
            cache_dir=cache_dir,
            on_features=on_features,
            on_epoch=on_epoch,
        )
    if is_main_process():
        typer.echo(
            f"{out}: trained on {card.captures} captures; threshold {card.threshold:.4f} for a false-alarm rate of "
            f"{card.false_alarm_rate:.3f}, from {card.holdout} held-out good captures"
        )


for command in (cli_inspect.evaluate, cli_inspect.predict, cli_inspect.report, cli_export.export, cli_serve.serve):
    app.command()(command)
app.add_typer(cli_benchmark.app, name="benchmark")

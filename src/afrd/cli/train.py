"""The command that learns. Its options are the fields of `afrd.families.TrainConfig` and of every family's config."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from afrd.cli.options import Category, Data, Pattern, checked

_SAME = {"tile": "resolution", "resolution": "tile"}  # that say the same in two ways
_GIVEN = "afrd.settings"  # in the context: the settings that were given


@dataclass(frozen=True)
class Setting:
    """A field of a config as an option. path: of the field, through nested settings; title: of the family."""

    path: tuple[str, ...]
    field: Any
    title: str | None

    @property
    def name(self) -> str:
        """What the camera's pictures are is said without a prefix, as in lights.yaml."""
        return "_".join(self.path[self.path[0] == "imaging" :])

    def parameter(self) -> inspect.Parameter:
        """As typer reads it from a function's signature."""
        from afrd.families import AUTO, offered

        bounds = {
            bound: getattr(rule, bound)
            for rule in self.field.metadata
            for bound in ("ge", "le")
            if hasattr(rule, bound)
        }
        text = self.field.description
        option = typer.Option(
            "--" + self.name.replace("_", "-"),
            help=f"{text} {', '.join((AUTO, *offered()))}." if self.name == "fusion" else text,
            min=bounds.get("ge"),
            max=bounds.get("le"),
            rich_help_panel=self.title,
        )
        return inspect.Parameter(
            self.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=self.field.default,
            annotation=Annotated[self._annotation(), option],
        )

    def _annotation(self) -> Any:
        """Of what may be shapes as well, a command line gives the file; of names, one text."""
        return str | None if self.path[-1] in ("roi", "lights") else self.field.annotation


def every_setting() -> dict[str, Setting]:
    """Every setting by its option's name: those of all families first, then each family's own."""
    from afrd.families import FAMILIES, TrainConfig

    common = TrainConfig.model_fields
    found = list(_fields(TrainConfig, None))
    for family in FAMILIES:
        title = f"{family.title}: --fusion {', '.join(family.names)}"
        found += _fields(family.config, title, skip=common)
    named: dict[str, Setting] = {}
    for setting in found:
        named.setdefault(setting.name, setting)
    return named


def _fields(config: type, title: str | None, path: tuple[str, ...] = (), skip=()) -> Iterator[Setting]:
    from pydantic import BaseModel

    for name, field in config.model_fields.items():
        if name in skip:
            continue
        if inspect.isclass(field.annotation) and issubclass(field.annotation, BaseModel):
            yield from _fields(field.annotation, title, (*path, name))
        else:
            yield Setting((*path, name), field, title)


class TrainCommand(TyperCommand):
    """Adds the settings when its options are asked for, so that `afrd --help` loads none of them."""

    def get_params(self, ctx: Any) -> list[Any]:
        def options() -> None: ...

        parameters = [setting.parameter() for setting in every_setting().values()]
        options.__signature__ = inspect.Signature(parameters)
        options.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        app = typer.Typer(add_completion=False)
        app.command()(options)
        return [*super().get_params(ctx), *typer.main.get_command(app).params]

    def invoke(self, ctx: Any) -> Any:
        given: dict[str, Any] = {}
        for name, setting in every_setting().items():
            value = ctx.params.pop(name)
            if ctx.get_parameter_source(name).name != "DEFAULT":
                *outer, last = setting.path
                inner = given
                for key in outer:
                    inner = inner.setdefault(key, {})
                inner[last] = value
        ctx.meta[_GIVEN] = given
        return super().invoke(ctx)


def train(
    context: typer.Context,
    data: Data,
    out: Annotated[Path, typer.Option(help="Run folder to write.")],
    category: Category = None,
    pattern: Pattern = None,
    config: Annotated[
        Path | None, typer.Option(help="YAML file of settings by their names, nested as in run.yaml; options win.")
    ] = None,
    known_defects: Annotated[
        Path | None,
        typer.Option(help="Folder of defective captures, if you have some: <defect type>/<id>/<light>.png, masks/."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in --out.")] = False,
    cache_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder of features on disk, for other runs; else in --out, until it ends. Distillation writes them, "
            "where --cache-gb or --cache ask for the disk; joint reads them if they are there; no other model does."
        ),
    ] = None,
) -> None:
    """Learn what good parts look like."""
    from afrd.cli.bars import is_main_process, training_bars
    from afrd.datasets import open_dataset, read_known_defects, splits
    from afrd.families import TrainConfig, family_of
    from afrd.rates import stated_rate
    from afrd.training import train as run_training
    from afrd.training.false_alarms import advice
    from afrd.yaml_model import parse, read_yaml

    given = context.meta[_GIVEN]
    settings = (
        parse(TrainConfig, _merged(read_yaml(config), given), config) if config else checked(TrainConfig, **given)
    )
    names = splits(data, category, pattern=pattern)
    captures = open_dataset(data, category, "train", pattern=pattern)
    holdout = open_dataset(data, category, "val", pattern=pattern) if "val" in names else None
    known = None
    if known_defects:
        known = read_known_defects(known_defects, captures.lights, category=category, pattern=pattern)
    options = captures.with_options(settings.imaging).options
    _say_what_is_learned_first(options)
    with training_bars() as (on_features, on_epoch):
        card = run_training(
            captures,
            out,
            settings,
            holdout=holdout,
            known_defects=known,
            resume=resume,
            cache_dir=cache_dir,
            on_imaging=lambda imaging: _say_how_finely(imaging, settings, captures, options.smallest_defect),
            on_needed=_say_needed,
            on_features=on_features,
            on_epoch=on_epoch,
        )
    if is_main_process():
        if why := settings.why(card.fusion, len(card.lights.names)):
            typer.echo(f"model {card.fusion}: {why}")
        interval = card.threshold_interval
        between = f" (90 %: between {interval[0]:.4f} and {interval[1]:.4f})" if interval else ""
        wide = f"; {card.threshold_unlike:.4f} where the rig check notes a capture" if card.threshold_unlike else ""
        typer.echo(f"{out}: trained on {card.captures} captures; threshold {card.threshold:.4f}{between}{wide}")
        typer.echo(f"false alarms: {stated_rate(card.model_dump())}")
        if cache_dir and not (family_of(card.fusion).reads_features and any(cache_dir.glob("features-*"))):
            typer.echo(
                f"  --cache-dir {cache_dir}: without effect; fusion {card.fusion} kept no features there and read none"
            )
        for line in (*advice(card), *_belt(captures, card)):
            typer.echo(f"  {line}")
        if known is not None:
            typer.echo(f"known defects: {len(known)} captures told which kinds of defects count; do not test on them")


def _belt(captures: Any, card: Any) -> list[str]:
    """That a belt is looked at, too, where there is one and no region of interest."""
    from afrd.imaging.region import LOOKED_AT, belt_share

    if card.imaging and card.imaging.region:
        return []
    share = belt_share(capture.images for capture in captures[:: max(1, len(captures) // LOOKED_AT)])
    if not share:
        return []
    return [
        f"{share:.0%} of the picture is a belt where no part has lain: what lies there is called anomalous, too, as "
        f"dust is; --roi auto leaves it out"
    ]


def _say_what_is_learned_first(options: Any) -> None:
    """It takes a while, and has no bar."""
    from afrd.cli.bars import is_main_process

    wanted = [name for name in ("motion", "roi", "align", "gain") if getattr(options, name) not in (None, "none")]
    if wanted and is_main_process():
        typer.echo(f"learning first how captures are seen: {', '.join(wanted)}", err=True)


def _say_needed(size: int, where: str) -> None:
    """size: bytes. where: "memory" or "disk"."""
    from afrd.cli.bars import is_main_process

    if is_main_process():
        place = "on disk" if where == "disk" else "in memory"
        typer.echo(f"the teacher's features take {size / 1e9:.2g} GB {place}", err=True)


def _say_how_finely(imaging: Any, settings: Any, captures: Any, smallest_defect: float | None) -> None:
    """Before the long work, which takes as many times as long as there are tiles."""
    from afrd.cli.bars import is_main_process

    if is_main_process():
        typer.echo(imaging.resolution(settings.image_size, captures[0].size, smallest_defect), err=True)


def _merged(file: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """What the file says, and over it what was given."""
    file = {k: v for k, v in file.items() if _SAME.get(k) not in given}
    both = {k: _merged(file[k], v) for k, v in given.items() if isinstance(v, dict) and isinstance(file.get(k), dict)}
    return {**file, **given, **both}

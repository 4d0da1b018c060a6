"""Arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

Data = Annotated[Path, typer.Argument(help="Data set: your own folders, or a public one (docs/datasets.md).")]
Run = Annotated[Path, typer.Argument(help="Run folder that afrd train wrote, or a file of afrd export.")]
Category = Annotated[str | None, typer.Option(help="Category (class) within the data set.")]
Pattern = Annotated[
    str | None, typer.Option(help="Where the images of a capture lie, e.g. '{id}/{light}.png' or '{id}_{light}.tif'.")
]
Split = Annotated[str, typer.Option(help="Split to use.")]
Device = Annotated[str, typer.Option(help="Where to compute: cpu, cuda, cuda:1, mps; with OpenVINO cpu, gpu, npu.")]
Runtime = Annotated[
    Literal["auto", "torch", "onnx", "openvino"], typer.Option(help="What is expected to compute; auto takes any.")
]
MemoryGb = Annotated[
    float,
    typer.Option(
        min=0.01,
        help="Half for maps, more of which go to a temporary file, half for their pixels; where that is too little, "
        "pixel metrics are counted in bins.",
    ),
]
OnLightFault = Annotated[
    Literal["reject", "leave-out"] | None,
    typer.Option(
        help="Where a light failed: reject (verdict light fault) or leave-out (judge by the others, if the model can)."
        " [default: the model's, reject]"
    ),
]
Compile = Annotated[
    bool,
    typer.Option(
        "--compile", help="A run folder with torch.compile: slow at first, then faster; takes a C++ compiler."
    ),
]


def checked(kind: Any, **values: Any) -> Any:
    """A configuration; a value out of range is wrong usage."""
    from pydantic import ValidationError

    from afrd.errors import bare

    try:
        return kind(**values)
    except ValidationError as error:
        first = error.errors()[0]
        what = bare(first["msg"])
        if "names" in first.get("ctx", {}):  # settings that act on other models only
            given = [option for name in first["ctx"]["names"] for option in _typed(name, values.get(name))]
            what = what.removeprefix(f"{first['ctx']['settings']}: ")
            raise typer.BadParameter(what, param_hint=_options(given)) from None
        path = first["loc"][first["loc"][:1] == ("imaging",) :]  # of which options bear no prefix
        hint = _options(["_".join(map(str, path))]) if path else None
        raise typer.BadParameter(f"{first['input']!r}: {what}", param_hint=hint) from None


def _typed(name: str, value: Any) -> list[str]:
    """The names of the options by which a setting was given: of nested ones there is one for each inner setting."""
    if not isinstance(value, dict):
        return [name]
    return [f"{name}_{inner}" for key, deeper in value.items() for inner in _typed(key, deeper)]


def _options(names: list[str]) -> str:
    return ", ".join("--" + name.replace("_", "-") for name in names)

"""The command that writes pictures of a part that no single light gives."""

from pathlib import Path
from typing import Annotated

import typer

from afrd.cli.options import Pattern


def views(
    captures: Annotated[list[Path], typer.Argument(help="Folders with one image per light, or with such folders.")],
    out: Annotated[Path, typer.Option(help="Folder for the pictures, in a folder per capture.")],
    lights: Annotated[
        Path | None,
        typer.Option(help="lights.yaml with the directions. [default: the nearest in or above the captures]"),
    ] = None,
    pattern: Pattern = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace pictures that are in --out already.")] = False,
) -> None:
    """Albedo, normals, relief, and the part without highlights and shadows, from lights of known directions."""
    from afrd.cli.bars import bar
    from afrd.datasets import read_ahead, read_captures
    from afrd.datasets.lights import lights_file_above, read_imaging, read_lights
    from afrd.errors import DatasetError, RunError
    from afrd.evaluation.visual import write_picture
    from afrd.views import make_views, stereo_of

    file = lights or lights_file_above(captures[0])
    for path in () if lights else captures:
        if (other := lights_file_above(path)).read_bytes() != file.read_bytes():
            raise DatasetError(f"{path}: under {other}, {captures[0]} under {file}; name them in two calls")
    rig = read_lights(file)
    stereo = stereo_of(rig)
    found = read_captures(captures, rig, pattern=pattern).with_options(read_imaging(file))
    there = [record.id for record in found.records if (out / record.id / "albedo.png").exists()]
    if there and not overwrite:
        raise RunError(f"{out}: holds views of capture {there[0]} already; choose another --out, or pass --overwrite")
    with bar("computing views") as progress:
        for done, capture in enumerate(read_ahead(found), 1):
            for name, picture in make_views(capture, stereo).items():
                write_picture(out / capture.id / f"{name}.png", picture)
            progress(done, len(found))
    typer.echo(f"{out}: views of {len(found)} capture{'' if len(found) == 1 else 's'}")

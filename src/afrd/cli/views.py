"""The command that writes pictures of a part that no single light gives."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from afrd.cli.options import Pattern

ESTIMATED_FROM = 10  # captures, at most


def views(
    captures: Annotated[list[Path], typer.Argument(help="Folders with one image per light, or with such folders.")],
    out: Annotated[Path, typer.Option(help="Folder for the pictures, in a folder per capture.")],
    lights: Annotated[
        Path | None,
        typer.Option(help="lights.yaml with the directions. [default: the nearest in or above the captures]"),
    ] = None,
    relief_from: Annotated[
        float, typer.Option(help="From which side the relief is lit, degrees: 0 right, 90 above, 135 upper left.")
    ] = 135.0,
    pattern: Pattern = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace pictures that are in --out already.")] = False,
) -> None:
    """Albedo, normals, relief, and the part without highlights and shadows, from at least three lights."""
    from afrd.cli.bars import bar
    from afrd.datasets import read_ahead, read_captures
    from afrd.datasets.lights import lights_file_above, read_imaging, read_lights
    from afrd.errors import DatasetError, RunError
    from afrd.evaluation.visual import write_picture
    from afrd.views import make_views, stereo_of
    from afrd.views.directions import azimuths_in_words, estimated_directions
    from afrd.views.photometric import HOW_TO_GET

    file = lights or lights_file_above(captures[0])
    for path in () if lights else captures:
        if (other := lights_file_above(path)).read_bytes() != file.read_bytes():
            raise DatasetError(f"{path}: under {other}, {captures[0]} under {file}; name them in two calls")
    rig = read_lights(file)
    found = read_captures(captures, rig, pattern=pattern).with_options(read_imaging(file))
    if rig.directions is None and len(rig) > 1:
        learned_from = found[:: math.ceil(len(found) / ESTIMATED_FROM)]
        rig = replace(rig, directions=estimated_directions(capture.images for capture in read_ahead(learned_from)))
        typer.echo(
            f"{file}: no light has a direction; estimated from {len(learned_from)} captures, each 40° above the part: "
            f"{azimuths_in_words(rig)}. Normals are rough; {HOW_TO_GET}"
        )
    stereo = stereo_of(rig)
    there = [record.id for record in found.records if (out / record.id / "albedo.png").exists()]
    if there and not overwrite:
        raise RunError(f"{out}: holds views of capture {there[0]} already; choose another --out, or pass --overwrite")
    with bar("computing views") as progress:
        for done, capture in enumerate(read_ahead(found), 1):
            for name, picture in make_views(capture, stereo, relief_from).items():
                write_picture(out / capture.id / f"{name}.png", picture)
            progress(done, len(found))
    typer.echo(f"{out}: views of {len(found)} capture{'' if len(found) == 1 else 's'}")

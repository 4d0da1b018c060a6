"""The command that serves a station."""

from pathlib import Path
from typing import Annotated

import typer


def _hash(wanted: bool) -> None:
    if wanted:
        from afrd.station.access import hash_secret

        typer.echo(hash_secret(typer.prompt("Password or token", hide_input=True, confirmation_prompt=True, err=True)))
        raise typer.Exit


def serve(
    station: Annotated[Path, typer.Argument(help="Station file (.yaml), or a run folder or file of afrd export.")],
    data: Annotated[
        Path | None, typer.Option(help="Folder of records and images. [default: the file's, else station-data]")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8080,
    print_unit: Annotated[
        bool, typer.Option("--print-unit", help="Print a systemd unit that serves this station, and end.")
    ] = False,
    hash: Annotated[
        bool,
        typer.Option(
            "--hash",
            help="Ask for a password or token, print what a station file holds of it, and end.",
            is_eager=True,
            callback=_hash,
        ),
    ] = False,
) -> None:
    """Serve a station: captures in, verdicts out, everything on record, pages for people."""
    if print_unit:
        from afrd.station.unit import unit

        typer.echo(unit(station, data, host, port), nl=False)
        return
    from afrd.station.server import serve as run

    run(station, data, host, port)

"""The command that serves a station."""

from pathlib import Path
from typing import Annotated

import typer


def serve(
    station: Annotated[Path, typer.Argument(help="Station file (.yaml), or a run folder or file of afrd export.")],
    data: Annotated[
        Path | None, typer.Option(help="Folder of records and images. [default: the file's, else station-data]")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8080,
) -> None:
    """Serve a station: captures in, verdicts out, everything on record, pages for people."""
    from afrd.station.server import serve as run

    run(station, data, host, port)

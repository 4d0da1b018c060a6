"""`afrd serve`: one station, one process, one port."""

import logging
import os
import signal
import socket
import sys
from pathlib import Path

import uvicorn

from afrd.errors import StationError
from afrd.files import locked_file
from afrd.station.config import StationConfig, load_station
from afrd.station.guard import LOCAL_HOSTS


def serve(station: Path, data: Path | None, host: str, port: int) -> None:
    """Until it is told to end (SIGTERM, Ctrl-C); what is queued is answered before.

    station: its file, or a run folder or artefact. data: instead of the file's. port: 0 takes a free one.
    Raises StationError and everything that loading the model raises: each says what to fix.
    """
    config = load_station(station)
    if data is not None:
        config = config.model_copy(update={"data": data})
    if host not in LOCAL_HOSTS and config.access is None:
        raise StationError(
            f"--host {host}: others could reach this station, and its station file names nobody who may; add users or "
            f"tokens under access (docs/station.md), or leave --host out"
        )
    config.data.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    for chatty in ("alembic", "asyncua"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    bind_threads(config)
    with locked_file(config.data / "station.lock", f"{config.data}: another station serves it; choose another --data"):
        listening = listen_on(host, port)
        from afrd.station.app import create_app  # after the threads are bound: these import what computes
        from afrd.station.service import Service

        app = create_app(Service(config))
        shown = f"[{host}]" if ":" in host else host
        print(f"afrd station {config.station}: http://{shown}:{listening.getsockname()[1]}", flush=True)
        for ending in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises the one it ended by again, when all is answered
            signal.signal(ending, lambda *_: None)
        # h11 refuses a second header Host, and tells a whole address from a path; httptools, where it is, does not
        settings = uvicorn.Config(app, http="h11", log_config=None, access_log=False, timeout_graceful_shutdown=30)
        uvicorn.Server(settings).run(sockets=[listening])


def bind_threads(config: StationConfig) -> None:
    """The inspection takes the processors that this process may use."""
    threads = config.threads or len(os.sched_getaffinity(0))
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))


def listen_on(host: str, port: int) -> socket.socket:
    """What it accepts sends at once: an answer goes in two pieces, and the second would wait 40 ms for the first's."""
    try:
        listening = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=128
        )
    except OSError as error:
        raise StationError(f"port {port} of {host}: {error.strerror or error}; choose another with --port") from error
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio sees no TCP in this socket, and does not
    return listening

"""A living line without a camera: rendered captures are learnt from, served, and sent to the station one by one.

`make station`, or `python -m afrd.station.demo`. Everything lands in one folder; an unfinished run
continues where it stopped.
"""

import argparse
import random
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import yaml

from afrd.cli.bars import bar
from afrd.console import prepare_process

CLASS = "Confetto"
COUNTS = {"train": 12, "val": 6, "test": 8}
SIZE = 96  # pixels; as small as lets a line live within a minute
_BOUNDARY = "afrd-demo"


def run_demo(out: Path, *, port: int = 8080, pause: float = 2.0, parts: int | None = None) -> None:
    """Until it is interrupted. pause: seconds between two parts. parts: how many are sent; None for no end."""
    from afrd.datasets import open_dataset  # these load torch, for which the process is prepared first
    from afrd.families.joint import JointConfig, Painting
    from afrd.render import render_dataset
    from afrd.training import train

    with bar("rendering captures") as progress:
        render_dataset(out / "data", (CLASS,), **COUNTS, size=SIZE, progress=progress)
    good, held_out = (open_dataset(out / "data", CLASS, split) for split in ("train", "val"))
    config = JointConfig(
        image_size=SIZE, false_alarm_rate=0.15, growable=True, painting=Painting(captures=12, pairs=24)
    )
    train(good, out / "runs" / CLASS, config, holdout=held_out, resume=True)
    station = out / "station.yaml"
    settings = {"station": "demo", "model": f"runs/{CLASS}", "data": "station", "review": 0.8, "cycle_seconds": 1.0}
    settings["training"] = f"data/{CLASS}"
    station.write_text(yaml.safe_dump(settings, sort_keys=False))
    command = [sys.executable, "-m", "afrd", "serve", str(station), "--port", str(port)]
    server = subprocess.Popen(command)
    try:
        _wait(f"http://127.0.0.1:{port}/healthz", server)
        print(f"open http://127.0.0.1:{port}/live in a browser; a part comes every {pause:g} s; Ctrl-C ends it")
        _feed(f"http://127.0.0.1:{port}/api/captures", out / "data", pause, parts)
    except KeyboardInterrupt:
        print("ending")
    finally:
        server.terminate()
        server.wait(60)


def _feed(url: str, data: Path, pause: float, parts: int | None) -> None:
    """Test captures in random order, none twice in a row; the lamp of one light is off for five parts in forty."""
    from afrd.datasets import open_dataset

    test = open_dataset(data, CLASS, "test_public")
    rng = random.Random(0)
    dark, record = b"", None
    for number in count():
        if number == parts:
            return
        record = rng.choice([each for each in test.records if each is not record])
        files = {light: path.read_bytes() for light, path in zip(test.lights.names, record.images, strict=True)}
        if number % 40 >= 35:
            dark = dark or _black(record.images[0])
            files["right"] = dark
        try:
            post(url, files)
        except urllib.error.HTTPError as error:
            print(f"refused: {error.code} {error.read(500).decode(errors='replace')}", file=sys.stderr)
        time.sleep(pause)


def post(url: str, files: dict[str, bytes], id: str | None = None) -> bytes:
    """One capture, light → image file, as any client sends it with nothing but its language's own library."""
    parts = [(f'name="{light}"; filename="{light}.png"', content) for light, content in files.items()]
    if id is not None:
        parts.append(('name="id"', id.encode()))
    body = b"".join(
        f"--{_BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + content + b"\r\n"
        for head, content in parts
    )
    headers = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
    request = urllib.request.Request(url, body + f"--{_BOUNDARY}--\r\n".encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


def _black(path: Path) -> bytes:
    import cv2

    return cv2.imencode(".png", cv2.imread(str(path)) * 0)[1].tobytes()


def _wait(url: str, server: subprocess.Popen) -> None:
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10):
                return
        except OSError:
            if server.poll() is not None:
                raise SystemExit("the station ended; its message is above") from None
            time.sleep(0.2)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse and call."""
    parser = argparse.ArgumentParser(description="A station with rendered parts flowing in.")
    parser.add_argument("--out", type=Path, default=Path("demo/station"), help="folder for captures, run and records")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--pause", type=float, default=2.0, help="seconds between two parts")
    parser.add_argument("--parts", type=int, help="parts to send [default: no end]")
    given = parser.parse_args(arguments)
    prepare_process()
    run_demo(given.out, port=given.port, pause=given.pause, parts=given.parts)


if __name__ == "__main__":
    main()

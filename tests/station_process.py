"""A station in a process of its own, as on a line: started by the command, spoken to by HTTP, killed at will."""

import io
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
import numpy as np
from PIL import Image


def png(image: np.ndarray) -> bytes:
    """[3, H, W] uint8 as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))).save(buffer, "PNG")
    return buffer.getvalue()


def uploads(images: np.ndarray, lights: Sequence[str]) -> dict[str, bytes]:
    """[N, 3, H, W] uint8 as light → PNG file."""
    return {light: png(image) for light, image in zip(lights, images, strict=True)}


def free_port() -> int:
    """Of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


class StationProcess:
    """`afrd serve` on a free port. url: where it listens. start_seconds: until it answered /healthz."""

    def __init__(self, station: Path, data: Path, *options: str, env: dict[str, str] | None = None) -> None:
        self.data = data
        self.log = data.parent / f"{data.name}.log"
        command = [sys.executable, "-m", "afrd", "serve", str(station), "--data", str(data), "--port", "0", *options]
        began = time.monotonic()
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self.log.open("a"), env={**os.environ, **(env or {})}, text=True
        )
        line = self.process.stdout.readline()  # empty where it ended
        if "http://" not in line:
            self.kill()
            raise AssertionError(f"the station did not start: {line}{self.log.read_text()}")
        self.url = line.split()[-1]
        self.client = httpx.Client(base_url=self.url, timeout=120)
        self.health()
        self.start_seconds = time.monotonic() - began

    def health(self) -> dict:
        """The answer of /healthz."""
        while True:
            try:
                return self.client.get("/healthz").raise_for_status().json()
            except httpx.ConnectError:
                if self.process.poll() is not None:
                    raise AssertionError(f"the station ended: {self.log.read_text()}") from None
                time.sleep(0.05)

    def post(self, files: dict[str, bytes], id: str | None = None, **options) -> httpx.Response:
        """One capture."""
        named = {light: (f"{light}.png", content, "image/png") for light, content in files.items()}
        return self.client.post("/api/captures", files=named, data={"id": id} if id else {}, **options)

    def end(self) -> int:
        """As systemd ends it; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def kill(self) -> None:
        """As a power cut ends it."""
        self.process.kill()
        self.process.wait(60)

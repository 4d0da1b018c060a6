"""From the files of a capture to its pixels: lights, sizes, and only then decoding. Knows no HTTP and no disk."""

import hashlib
import logging
import re
import secrets
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from afrd.datasets.images import Header, decode, header_of, together
from afrd.datasets.problems import ProblemError
from afrd.station.bundles import FIELD, unpack
from afrd.station.config import Limits
from afrd.station.refusals import Refused, refuse_all, wrong

_log = logging.getLogger("afrd.station")
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SUFFIXES = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp", "BMP": "bmp", "TIFF": "tif"}
_DECODERS = 2


@dataclass(frozen=True)
class Taken:
    """A capture that can be judged.

    images: [N, C, H, W], uint8 or uint16. files: light → (file name, content as it came). digest: SHA-256 of names and
    contents, hex. source: who brought it. arrived: `time.monotonic()` when its first byte came; at: seconds since 1970.
    """

    id: str
    images: np.ndarray
    files: Mapping[str, tuple[str, bytes]]
    digest: str
    source: str
    arrived: float
    at: float


class Intake:
    """Takes captures of these lights within these limits."""

    def __init__(self, lights: tuple[str, ...], limits: Limits) -> None:
        self.lights, self.limits = lights, limits
        self._decoders = ThreadPoolExecutor(_DECODERS, "decode")

    def take(self, files: Mapping[str, bytes], id: str | None, source: str, arrived: float) -> Taken:
        """Raises Refused: 422 for wrong lights, names, formats or sizes, 413 for more pixels than allowed."""
        if id is not None and not ID.fullmatch(id):
            raise wrong("id", "expected 1 to 64 letters, digits, '.', '_' or '-', the first a letter or digit")
        if set(files) == {FIELD} and FIELD not in self.lights:
            files = unpack(files[FIELD], self.lights, self.limits)
        self._require_lights(files)
        headers = self._headers(files)
        images = self._decoded(files, headers)
        named = {
            light: (f"{k:02d}.{_SUFFIXES[headers[light].format]}", files[light]) for k, light in enumerate(self.lights)
        }
        return Taken(
            id or new_id(),
            images,
            named,
            digest_of({light: files[light] for light in self.lights}),
            source,
            arrived,
            time.time(),
        )

    def _require_lights(self, files: Mapping[str, bytes]) -> None:
        problems = [(light, "missing; send one image for each light") for light in self.lights if light not in files]
        known = ", ".join(self.lights)
        problems += [(name, f"no such light; this station has {known}") for name in files if name not in self.lights]
        if problems:
            raise refuse_all(problems)

    def _headers(self, files: Mapping[str, bytes]) -> dict[str, Header]:
        headers, problems = {}, []
        for light in self.lights:
            try:
                headers[light] = header_of(files[light], Path(light))
            except Exception as error:
                problems.append((light, _unreadable(light, error)))
        if problems:
            raise refuse_all(problems)
        most = self.limits.megapixels
        for light, header in headers.items():
            if header.height * header.width > most * 1e6:
                raise Refused(
                    413,
                    f"light {light}: {header.width} × {header.height} pixels; this station takes {most:g} megapixels",
                )
        first = headers[self.lights[0]]
        for light, header in headers.items():
            if header.orientation != first.orientation:
                first_light = self.lights[0]
                problems.append(
                    (
                        light,
                        f"orientation tag {header.orientation}, light {first_light} has {first.orientation}; remove it",
                    )
                )
            elif (header.height, header.width, header.depth) != (first.height, first.width, first.depth):
                problems.append(
                    (
                        light,
                        f"{header.width} × {header.height} pixels of {header.depth} bits, light {self.lights[0]} has "
                        f"{first.width} × {first.height} of {first.depth}; all lights of a capture have the same",
                    )
                )
        if problems:
            raise refuse_all(problems)
        return headers

    def _decoded(self, files: Mapping[str, bytes], headers: Mapping[str, Header]) -> np.ndarray:
        first = headers[self.lights[0]]
        kind = np.uint16 if first.depth == 16 else np.uint8

        def decoded(light: str) -> np.ndarray:
            pixels = decode(files[light], Path(light))
            if pixels.shape[1:] != (first.height, first.width) or pixels.dtype != kind:
                raise ProblemError(Path(light), "pixels of another size than its header says", "replace it")
            return pixels

        images, problems = [], []
        for light, done in [(light, self._decoders.submit(decoded, light)) for light in self.lights]:
            try:
                images.append(done.result())
            except Exception as error:
                problems.append((light, _unreadable(light, error)))
        if problems:
            raise refuse_all(problems)
        return together(images)


def digest_of(files: Mapping[str, bytes]) -> str:
    """SHA-256 of a capture's light names and files, in the order of the lights, hex."""
    digest = hashlib.sha256()
    for light, content in files.items():
        digest.update(f"{light}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _unreadable(light: str, error: Exception) -> str:
    """What a client is told. A decoder that fails in its own way on hostile bytes is for the log alone."""
    if isinstance(error, ProblemError):
        return f"{error.problem.what}; {error.problem.fix}"
    _log.error("image of light %s: a decoder failed", light, exc_info=error)
    return "is not an image that can be read, or is damaged; replace it with a whole copy"


def new_id() -> str:
    """For a capture that came without one: its time (UTC), and six characters so that no two are the same."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(3)}"

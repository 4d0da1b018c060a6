"""A capture out of an HTTP request, bounded in bytes and in time while it is read. Knows nothing of images."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from afrd.capture import MAX_LIGHTS
from afrd.station.config import Limits
from afrd.station.refusals import Refused, wrong

_FIELDS = 4  # form fields beside the files; there is one, `id`
_DRAIN_SECONDS = 2.0


@dataclass(frozen=True)
class Upload:
    """What a client sent. id: None where the station is to choose one. files: field name → content."""

    id: str | None
    files: dict[str, bytes]


class UploadReader:
    """Reads the body of one request."""

    def __init__(self, request: Request, limits: Limits) -> None:
        self._request, self._limits = request, limits
        self._allowed = int(limits.megabytes * 1e6)
        self._ended = False

    async def read(self) -> Upload:
        """The files of a multipart form. Raises Refused: 413 too large, 408 too slow, 415 and 422 no such form."""
        if not self._request.headers.get("content-type", "").startswith("multipart/form-data"):
            raise Refused(415, "expected multipart/form-data: one file a light, the field named as the light")
        declared = self._request.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > self._allowed:
            raise self._too_large()
        seconds = self._limits.upload_seconds
        try:
            async with asyncio.timeout(seconds):
                return await self._parse()
        except TimeoutError:
            self._ended = True
            raise Refused(408, f"the upload took longer than {seconds:g} s; it was cut off") from None
        except ClientDisconnect:
            raise Refused(400, "the client went away before its upload was whole") from None
        except MultiPartException as error:
            raise wrong("form", error.message) from None

    async def drain(self) -> None:
        """Read what a refused client still sends, within bounds: it reads no answer before it has sent its upload."""
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                left = self._allowed
                while not self._ended and left > 0:
                    left -= len(await self._chunk())
        except (TimeoutError, ClientDisconnect):
            return  # its connection is closed with the answer

    async def _parse(self) -> Upload:
        parser = MultiPartParser(self._request.headers, self._chunks(), max_files=MAX_LIGHTS + 1, max_fields=_FIELDS)
        parser.spool_max_size = self._allowed + 1  # in memory: a full disk must not stop the line
        form = await parser.parse()
        try:
            return _upload(form.multi_items())
        finally:
            await form.close()

    async def _chunks(self) -> AsyncIterator[bytes]:
        received = 0
        while not self._ended:
            chunk = await self._chunk()
            received += len(chunk)
            if received > self._allowed:
                raise self._too_large()
            yield chunk

    async def _chunk(self) -> bytes:
        message = await self._request.receive()
        if message["type"] == "http.disconnect":
            self._ended = True
            raise ClientDisconnect
        self._ended = not message.get("more_body", False)
        return message.get("body", b"")

    def _too_large(self) -> Refused:
        return Refused(413, f"the capture is larger than the {self._limits.megabytes:g} MB that this station takes")


def _upload(items: list[tuple[str, UploadFile | str]]) -> Upload:
    id, files = None, {}
    for field, value in items:
        if isinstance(value, UploadFile):
            if field in files:
                raise wrong(field, "sent twice; send one image a light")
            files[field] = value.file.read()
        elif field != "id":
            raise wrong(field, "is a text field; send the image as a file, with a file name")
        elif id is not None:
            raise wrong("id", "sent twice; send one")
        else:
            id = value
    return Upload(id, files)

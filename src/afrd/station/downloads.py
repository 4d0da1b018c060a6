"""To take away: what History shows, as CSV, Parquet, and a folder for training; and the audit log."""

import threading
import weakref
from collections.abc import Iterator
from itertools import chain
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import StreamingResponse

from afrd.station import exports
from afrd.station.line import Slot
from afrd.station.pages import MOST_ZIPPED, Wanted
from afrd.station.refusals import Refused
from afrd.station.service import Service

router = APIRouter(include_in_schema=False)
_one_zip = threading.BoundedSemaphore()  # packing takes disk and a connection to the database


def _until_done(content: Iterator[bytes], slot: Slot) -> Iterator[bytes]:
    """The same; with its last byte another may be packed."""
    try:
        yield from content
    finally:
        slot.release()


@router.get("/history/export.{kind}")
def download(request: Request, kind: str, wanted: Wanted) -> Response:
    """The captures of the filter, all of them."""
    service: Service = request.app.state.service
    found = exports.rows(service.engine, service.history, wanted)
    content: Iterator[Any]
    if kind == "csv":
        content, media = exports.as_csv(found), "text/csv"
    elif kind == "parquet":
        content, media = exports.as_parquet(found), "application/vnd.apache.parquet"
    elif kind == "zip":
        if not _one_zip.acquire(blocking=False):
            raise Refused(503, "another folder is being packed; ask again when it is done", retry_after=30)
        slot = Slot(_one_zip)
        card = service.judge.version.inspector.card
        content = _until_done(exports.as_folder(found, card, service.config.data, MOST_ZIPPED), slot)
        weakref.finalize(content, slot.release)  # where the client went away before the first byte
        media = "application/zip"
    else:
        raise HTTPException(404, f"no export as {kind!r}; there are csv, parquet and zip")
    first = next(content, "")  # what goes wrong before it, a full disk above all, is answered and not cut off
    return _file(chain([first], content), media, f"{service.config.station}.{kind}")


@router.get("/audit.csv")
def audit(request: Request) -> Response:
    """Every change, oldest first."""
    service: Service = request.app.state.service
    lines = exports.audit_as_csv(service.engine, service.config.station)
    return _file(chain([next(lines)], lines), "text/csv", f"{service.config.station}-audit.csv")


def _file(content: Iterator[Any], media: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(content, media_type=media, headers=headers)

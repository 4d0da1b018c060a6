"""The HTTP API: routes only parse and call."""

import asyncio
import time
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse

from afrd.errors import DatasetError
from afrd.station.bundles import FIELD
from afrd.station.files import MAP_FILE
from afrd.station.history import Filter
from afrd.station.pictures import as_png
from afrd.station.records import detail, review, summary
from afrd.station.schemas import FAILURE, Answer, Detail, Health, Limit, Review, ReviewRequest, Summary, Verdict
from afrd.station.service import Service
from afrd.station.tables import CaptureRow
from afrd.station.uploads import UploadReader

router = APIRouter()
_REFUSALS: dict[int | str, Any] = dict.fromkeys((400, 408, 409, 413, 415, 422, 429, 500, 503), FAILURE)
_NOT_FOUND: dict[int | str, Any] = {404: FAILURE}


def upload_schema(lights: tuple[str, ...]) -> dict[str, Any]:
    """The request body of `POST /api/captures`, for the OpenAPI schema."""
    id = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"}

    def form(fields: tuple[str, ...]) -> dict[str, Any]:
        files = {field: {"type": "string", "format": "binary"} for field in fields}
        properties = files | {"id": id}
        return {"type": "object", "properties": properties, "required": list(fields), "additionalProperties": False}

    schema = {"oneOf": [form(lights), form((FIELD,))]}
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}


@router.post("/api/captures", response_model=Answer, responses=_REFUSALS, tags=["captures"])
async def post_capture(request: Request) -> dict[str, Any]:
    """Judge one capture: one file a light, the field named as the light, and optionally its `id`.

    Or all lights as one file, field `capture`: a TIFF with a page for each light, or an npz (`afrd.station.bundles`).

    The answer leaves once the record and the images are on the disk. The same capture sent again under its id gets the
    same answer. 503 with Retry-After: the queue is full.
    """
    arrived = time.monotonic()
    service, reader = _service(request), UploadReader(request, _service(request).config.limits)
    slot = None
    try:
        service.require_rate()
        slot = service.line.reserve()
        upload = await reader.read()
        answered = await run_in_threadpool(service.take, upload.files, upload.id, "http", arrived, slot)
        del upload
    except BaseException:
        if slot:
            slot.release()
        await reader.drain()
        raise
    return await asyncio.shield(asyncio.wrap_future(answered))


@router.get("/api/captures", response_model=list[Summary], responses=_NOT_FOUND, tags=["captures"])
def list_captures(
    request: Request,
    verdict: Verdict | None = None,
    limit: Limit = 50,
    before: Annotated[str | None, Query(description="Id of the last capture of the page before.")] = None,
) -> list[dict[str, Any]]:
    """Captures, newest first."""
    rows = _service(request).history.page(Filter(verdict=verdict), limit, before)
    if rows is None:
        raise HTTPException(404, f"before: no capture {before!r}")
    return [summary(row) for row in rows]


@router.get("/api/captures/{id}", response_model=Detail, responses=_NOT_FOUND, tags=["captures"])
def get_capture(request: Request, id: str) -> dict[str, Any]:
    """All that is on record about one capture."""
    found = _service(request).history.get(id)
    if found is None:
        raise _no_capture(id)
    return detail(*found)


_PNG: dict[int | str, Any] = {200: {"content": {"image/png": {}}}} | _NOT_FOUND


@router.get("/api/captures/{id}/map.png", response_class=Response, responses=_PNG, tags=["captures"])
def get_map(request: Request, id: str) -> Response:
    """The anomaly map, 16-bit grey: value = pixel / scale, which stands in the PNG text chunk `afrd:scale`."""
    row = _stored(request, id)
    return FileResponse(_file(request, row, MAP_FILE), media_type="image/png")


@router.get("/api/captures/{id}/lights/{name}.png", response_class=Response, responses=_PNG, tags=["captures"])
def get_light(request: Request, id: str, name: str) -> Response:
    """The part under one light, as it was sent, or turned into PNG where it was sent in another format."""
    row = _stored(request, id)
    if name not in row.files:
        raise HTTPException(404, f"capture {id}: no light {name!r}; it has {', '.join(row.files)}")
    path = _file(request, row, row.files[name])
    if path.suffix == ".png":
        return FileResponse(path, media_type="image/png")
    return Response(as_png(path), media_type="image/png")


@router.post("/api/captures/{id}/review", response_model=Review, responses=_NOT_FOUND, tags=["captures"])
def post_review(request: Request, id: str, body: ReviewRequest) -> dict[str, Any]:
    """Say what a part is. The newest review counts, all are kept."""
    row = _service(request).review(id, body.label, body.defect_type, request.state.person.name)
    if row is None:
        raise _no_capture(id)
    return review(row)


@router.get("/healthz", response_model=Health, tags=["station"])
def healthz(request: Request) -> dict[str, Any]:
    """Whether the station judges, by which model, and how long its queue is."""
    service = _service(request)
    problems = service.problems()
    return {
        "status": "degraded" if problems else "ok",
        "model": service.judge.version.name,
        "queue": service.line.waiting,
        "queue_size": service.line.size,
        "problems": problems,
    }


def _service(request: Request) -> Service:
    return request.app.state.service


def _stored(request: Request, id: str) -> CaptureRow:
    found = _service(request).history.get(id)
    if found is None:
        raise _no_capture(id)
    if found[0].folder is None:
        raise HTTPException(404, f"capture {id}: its images are not stored any more")
    return found[0]


def _file(request: Request, row: CaptureRow, name: str) -> Path:
    try:
        return _service(request).store.files.path(row.folder or "", name)
    except DatasetError as error:
        raise HTTPException(404, str(error)) from error


def _no_capture(id: str) -> HTTPException:
    return HTTPException(404, f"no capture {id!r}")

"""The web application around one station."""

import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

import afrd
from afrd.datasets.problems import printable
from afrd.errors import AfrdError, DatasetError
from afrd.station import api, downloads, engineer_pages, login, model_pages, pages, part_views
from afrd.station.guard import Guard
from afrd.station.page import message
from afrd.station.refusals import Refused
from afrd.station.service import Service
from afrd.station.store import reason_of

_log = logging.getLogger("afrd.station")


def create_app(service: Service) -> FastAPI:
    """Starts the service with itself, and stops it in order."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        service.stop()

    app = FastAPI(
        title=f"afrd station {service.config.station}",
        version=afrd.__version__,
        openapi_url="/api/openapi.json",
        docs_url=None,  # its pages load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.service = service
    app.add_middleware(Guard, access=service.access, sessions=service.sessions, refusals=service.refusals)
    app.include_router(api.router)
    app.include_router(part_views.router)
    app.include_router(pages.router)
    app.include_router(engineer_pages.router)
    app.include_router(model_pages.router)
    app.include_router(downloads.router)
    app.include_router(login.router)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"))

    def refuse(request: Request, error: Refused) -> None:
        of_a_part = request.scope["path"].startswith("/api/")
        service.refusals.add(request.client.host if request.client else "?", error, of_a_part)

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        refuse(request, error)
        headers = {"Retry-After": str(error.retry_after)} if error.retry_after else None
        return _not_done(request, error.status, str(error), error.detail(), headers)

    @app.exception_handler(HTTPException)
    async def not_so(request: Request, error: HTTPException) -> Response:
        if error.status_code != 404:
            refuse(request, Refused(error.status_code, str(error.detail)))
        return _not_done(request, error.status_code, str(error.detail), error.detail, error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        """Without what was sent, which may be large, or nothing that JSON holds."""
        told = []
        for each in error.errors():
            place = [at if isinstance(at, int) else printable(at)[:64] for at in each["loc"]]
            told.append({"loc": place, "msg": printable(each["msg"]), "type": each["type"]})
        words = "; ".join(f"{each['loc'][-1]}: {each['msg']}" for each in told)
        refuse(request, Refused(422, words))
        return _not_done(request, 422, words, told)

    @app.exception_handler(AfrdError)
    async def failed(request: Request, error: AfrdError) -> Response:
        status = 404 if isinstance(error, DatasetError) else 422
        if status != 404:
            refuse(request, Refused(status, str(error)))
        return _not_done(request, status, str(error))

    @app.exception_handler(OperationalError)
    @app.exception_handler(OSError)
    async def out_of_reach(request: Request, error: Exception) -> Response:
        """A full disk, or a database that is not there: what was asked for was not done."""
        where = f"the disk of {service.config.data} or the database"
        text = f"nothing was done: {where} says: {reason_of(error)}; free or fix it, and do it again"
        _log.error("%s %s: %s", request.method, request.scope["path"], text)
        return _not_done(request, 503, text, headers={"Retry-After": "30"})

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(title=app.title, version=app.version, routes=app.routes)
            schema["paths"]["/api/captures"]["post"]["requestBody"] = api.upload_schema(service.intake.lights)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi
    return app


def _not_done(
    request: Request, status: int, words: str, detail: Any = None, headers: Mapping[str, str] | None = None
) -> Response:
    """JSON to programs, a page to people. detail: for JSON, where it is more than the words."""
    if request.scope["path"].startswith("/api/"):
        return JSONResponse({"detail": detail or words}, status, headers)
    answer = message(request, "Not found" if status == 404 else "Not done", words, status)
    answer.headers.update(headers or {})
    return answer

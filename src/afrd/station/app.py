"""The web application around one station."""

import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse

import afrd
from afrd.station import api
from afrd.station.refusals import Refused
from afrd.station.service import Service

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
    app.include_router(api.router)

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> JSONResponse:
        service.refusals.add(request.client.host if request.client else "?", error)
        headers = {"Retry-After": str(error.retry_after)} if error.retry_after else None
        return JSONResponse({"detail": error.detail()}, error.status, headers)

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(title=app.title, version=app.version, routes=app.routes)
            schema["paths"]["/api/captures"]["post"]["requestBody"] = api.upload_schema(service.intake.lights)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi
    return app

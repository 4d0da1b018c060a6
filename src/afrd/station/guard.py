"""What every request passes first: a known host, an allowed person, no foreign web site behind a change.

Pure ASGI, so that uploads stream through it. Without access rules everybody on this machine is an engineer. A change
must come from the station's own pages or from a program: what another web site asks a browser for is refused (OWASP's
"verify the origin with standard headers"), and a browser with a session must say where it comes from.
"""

import re
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from afrd.datasets.problems import printable
from afrd.station.access import LOCAL, Access, Person
from afrd.station.refusals import Refusals, Refused

COOKIE = "afrd-station"
SESSION_SECONDS = 12 * 3600
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
_FORM, _DRAWING = 100_000, 32_000_000  # bytes of a form, and of one with a brushed mask
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[\w.-]+)(:\d{1,5})?", re.ASCII)  # no part of a path, no user
_OPEN = ("/healthz", "/login", "/static/")
_CHANGES = {"POST", "PUT", "PATCH", "DELETE"}
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


class Sessions:
    """Signed cookies that name who signed in. key: kept with the station's data, so that a restart signs nobody out."""

    def __init__(self, key: str) -> None:
        self._signer = URLSafeTimedSerializer(key, salt="session")

    def cookie(self, name: str) -> str:
        """For somebody who signed in."""
        return self._signer.dumps(name)

    def name(self, cookie: str) -> str | None:
        """Who signed in; None where it is too old or not ours."""
        try:
            return self._signer.loads(cookie, max_age=SESSION_SECONDS)
        except BadData:
            return None


class Guard:
    """access: None serves this machine alone, under its own names, so that no web site can point its name here.

    refusals: takes what is refused here, too; who is asked for a name is not refused.
    """

    def __init__(self, app: ASGIApp, access: Access | None, sessions: Sessions, refusals: Refusals) -> None:
        self._app, self._access, self._sessions, self._refusals = app, access, sessions, refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        request = Request(scope)
        try:
            _require_address(request)
            request.state.person = person = await self._person(request) if self._access else LOCAL
            self._require_allowed(request, person)
            _require_size(request)
        except Refused as error:
            of_a_part = request.scope["path"].startswith("/api/")
            self._refusals.add(request.client.host if request.client else "?", error, of_a_part)
            headers = {"Retry-After": str(error.retry_after)} if error.retry_after else None
            await _say(error.status, error.detail(), headers)(scope, receive, with_headers)
            return
        handler = self._app if person else self._sign_in(request) or self._app
        await handler(scope, _bounded(request, receive), with_headers)

    def _require_allowed(self, request: Request, person: Person | None) -> None:
        """Raises Refused."""
        changes = request.method in _CHANGES
        if changes and _foreign(request, strict=False):
            raise Refused(HTTPStatus.FORBIDDEN, "another web site asked for this change; it is refused")
        if self._access is None:
            if any(name in request.headers for name in _FORWARDED):
                raise Refused(
                    HTTPStatus.FORBIDDEN, "a proxy reaches this station for others; name who may under access"
                )
            if _host(request) not in LOCAL_HOSTS:
                raise Refused(HTTPStatus.MISDIRECTED_REQUEST, "this station serves its own machine; ask 127.0.0.1")
        elif "authorization" not in request.headers and person and changes and _foreign(request, strict=True):
            raise Refused(HTTPStatus.FORBIDDEN, "a change must say which page it comes from (header Origin)")

    def _sign_in(self, request: Request) -> Response | None:
        """For whom nobody knows; None where everybody may."""
        path = request.scope["path"]
        if path.startswith(_OPEN):
            return None
        if not path.startswith("/api/") and "text/html" in request.headers.get("accept", ""):
            asked = "ended=1" if request.method in _CHANGES else f"to={quote(path)}"
            return RedirectResponse(f"/login?{asked}", HTTPStatus.SEE_OTHER)
        return _say(HTTPStatus.UNAUTHORIZED, "sign in, or send Authorization: Bearer NAME:SECRET", _BEARER)

    async def _person(self, request: Request) -> Person | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme:
            token = token.strip()
            if scheme.lower() != "bearer":
                return None
            if self._access.remembers(token):
                return self._access.by_token(token)
            return await run_in_threadpool(self._access.by_token, token)  # half a second of processor
        name = self._sessions.name(request.cookies.get(COOKIE, ""))
        return self._access.by_name(name) if name else None


_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
_BEARER = {"WWW-Authenticate": "Bearer"}


def _require_address(request: Request) -> None:
    """Raises Refused: the header Host is no name, or a whole address is asked for, as only a proxy is.

    What is made of both (`request.url`) could else be read as another path than the one that is answered.
    """
    if (host := request.headers.get("host")) and not _HOST.fullmatch(host):
        raise Refused(HTTPStatus.BAD_REQUEST, f"the header Host is no name: {printable(host)[:64]}")
    if not request.scope["path"].startswith("/"):
        raise Refused(HTTPStatus.BAD_REQUEST, f"ask for a path, not for {printable(request.scope['path'])[:64]}")


def _host(request: Request) -> str:
    """Without the port; empty where the request names none."""
    found = _HOST.fullmatch(request.headers.get("host", ""))
    return found[1].strip("[]").lower() if found else ""


def _allowed(request: Request) -> int | None:
    """Bytes of a body; None where the upload itself is counted, by the station's own limits."""
    path = request.scope["path"]
    if path == "/api/captures":
        return None
    return _DRAWING if path.startswith("/review/") else _FORM


def _require_size(request: Request) -> None:
    """Raises Refused: the request itself says that it is too large, before anything is read."""
    declared, allowed = request.headers.get("content-length", ""), _allowed(request)
    if allowed is not None and declared.isdigit() and int(declared) > allowed:
        raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than the {allowed / 1e6:g} MB that are taken here")


def _bounded(request: Request, receive: Receive) -> Receive:
    """The same body, cut off where it is larger than allowed, whatever was declared: forms are kept in memory."""
    allowed, received = _allowed(request), 0
    if allowed is None:
        return receive

    async def counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > allowed:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {allowed / 1e6:g} MB")
        return message

    return counted


def _foreign(request: Request, strict: bool) -> bool:
    """Whether another web site is behind it. strict: also where nothing says which, as programs do."""
    if (origin := request.headers.get("origin")) is not None:
        return origin.partition("://")[2] != request.headers.get("host")
    if (site := request.headers.get("sec-fetch-site")) is not None:
        return site not in ("same-origin", "none")
    return strict


def _say(status: int, words: Any, headers: dict[str, Any] | None = None) -> Response:
    return JSONResponse({"detail": words}, status, headers)

"""Signing in and out with a name and a password."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from afrd.station.guard import COOKIE, SESSION_SECONDS
from afrd.station.page import page, service_of
from afrd.station.refusals import Refused

router = APIRouter(include_in_schema=False)


@router.get("/login")
def sign_in_page(request: Request, to: str = "/live", ended: bool = False) -> Response:
    """The form. ended: what was asked for was not done, as nobody was signed in any more."""
    return page(request, "login.html", "Sign in", to=to, failed=False, ended=ended)


@router.post("/login")
def sign_in(
    request: Request,
    name: Annotated[str, Form(max_length=64)],
    password: Annotated[str, Form(max_length=1000)],
    to: Annotated[str, Form(max_length=500)] = "/live",
) -> Response:
    """A session, or the form again. Attempts are few a second: guessing takes years."""
    service = service_of(request)
    if service.access is None:
        return RedirectResponse("/live", 303)
    if not service.sign_ins.take():
        raise Refused(429, "too many attempts to sign in; wait a moment", retry_after=2)
    person = service.access.by_password(name, password)
    if person is None:
        service.versions.record("nobody", "failed to sign in as", "".join(c for c in name if c.isprintable()))
        return page(request, "login.html", "Sign in", 401, to=to, failed=True, ended=False)
    service.versions.record(person.name, "signed in", person.role)
    answer = RedirectResponse(to if _here(to) else "/live", 303)
    secure = request.url.scheme == "https"
    answer.set_cookie(
        COOKIE, service.sessions.cookie(person.name), SESSION_SECONDS, httponly=True, samesite="strict", secure=secure
    )
    return answer


@router.post("/logout")
def sign_out(request: Request) -> Response:
    """Back to the form."""
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer


def _here(to: str) -> bool:
    parts = urlsplit(to)
    return to.startswith("/") and not to.startswith(("//", "/\\")) and not parts.netloc

"""What all pages share: templates, the station, and who asks."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import jinja2
from fastapi import Form, HTTPException, Request
from fastapi.responses import HTMLResponse

from afrd.station.access import Person, Role
from afrd.station.refusals import Refused
from afrd.station.service import Service
from afrd.station.tables import CaptureRow

LINKS = tuple((name, f"/{name.lower()}") for name in ("Live", "History", "Review", "Threshold", "Models", "Rig"))
Text = Annotated[str, Form(max_length=200)]

_templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
)
_templates.filters["clock"] = lambda at: datetime.fromtimestamp(at).strftime("%Y-%m-%d %H:%M:%S")
_templates.globals["light_url"] = lambda row, light: f"/api/captures/{quote(row.id)}/lights/{quote(light, '')}.png"


def message(request: Request, name: str, text: str, status: int) -> HTMLResponse:
    """A sentence instead of a page."""
    return page(request, "message.html", name, status, message=text)


def page(request: Request, template: str, name: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A template with what every page shows. name: of the page."""
    service = service_of(request)
    shared = {
        "page": name,
        "links": LINKS if request.state.person else (),
        "station": service.config.station,
        "problems": service.problems() if request.state.person else (),
        "person": request.state.person if service.access else None,
    }
    return HTMLResponse(_templates.get_template(template).render(shared | values), status)


def service_of(request: Request) -> Service:
    """The station that is served."""
    return request.app.state.service


def by(request: Request, role: Role = "operator") -> str:
    """The name of who asks. Raises Refused: 403, it takes another role."""
    person: Person = request.state.person
    if not person.may(role):
        raise Refused(403, f"{person.name} is {person.role}; this takes {role}")
    return person.name


def row_of(request: Request, id: str) -> CaptureRow:
    """The record of a part. Raises HTTPException: 404."""
    found = service_of(request).history.get(id)
    if found is None:
        raise HTTPException(404, f"no part {id!r}")
    return found[0]

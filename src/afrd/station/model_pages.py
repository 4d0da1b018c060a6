"""Versions on the pages: what each is and found, which judges, which is in shadow, and how new ones are made."""

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import FileResponse, RedirectResponse

from afrd.errors import StationError
from afrd.rates import stated_rate
from afrd.station.page import Text, by, page, service_of

router = APIRouter(include_in_schema=False)


@router.get("/models")
def models(request: Request) -> Response:
    """Versions, which judges, and what people found of each."""
    service = service_of(request)
    rows = service.versions.rows()
    shadow = service.shadow.version
    unknown = None
    try:
        further = len(service.learning.further())
    except StationError as error:  # versions must still be activated here
        further, unknown = 0, str(error)
    return page(
        request,
        "models.html",
        "Models",
        models=[(row, service.statistics.agreement(row.name)) for row in rows],
        active=service.judge.version.name,
        shadow=shadow and shadow.name,
        beside=shadow and service.statistics.beside(shadow.name),
        skipped=service.idle.skipped,
        trouble=service.shadow.trouble,
        previous=service.versions.previous(),
        folder=service.versions.folder,
        found=service.versions.found(),
        training=service.config.training,
        growable=service.learning.growable(),
        further=further,
        unknown=unknown,
        left_out=service.learning.left_out(),
        job=service.learning.jobs.newest,
        audit=service.versions.audit(),
    )


@router.get("/models/job")
def job(request: Request) -> Response:
    """The progress of what runs, without the page around it; the whole page again where it has ended."""
    newest = service_of(request).learning.jobs.newest
    answer = page(request, "job.html", "Models", job=newest)
    if newest is not None and not newest.running:
        answer.headers["HX-Refresh"] = "true"
    return answer


@router.get("/models/{number}")
def model(request: Request, number: int) -> Response:
    """One version: its card, what it learned from, and where it differs from those that judged."""
    service = service_of(request)
    row = service.versions.row(number)
    learned = service.learning.snapshot(row)
    return page(
        request,
        "model.html",
        "Models",
        model=row,
        stated=stated_rate(row.card),
        agreement=service.statistics.agreement(row.name),
        beside=service.statistics.beside(row.name),
        roles={role: sum(each["role"] == role for each in learned) for role in {each["role"] for each in learned}},
        learned={each["id"] for each in learned},
    )


@router.get("/models/{number}/snapshot.parquet")
def snapshot(request: Request, number: int) -> Response:
    """The list of captures that a version learned from."""
    service = service_of(request)
    row = service.versions.row(number)
    path = service.learning.snapshot_file(row)
    if path is None:
        raise HTTPException(404, f"model {row.name}: was not made here, so its captures are not listed")
    return FileResponse(path, filename=f"{row.name}.parquet")


@router.post("/models")
def add_model(request: Request, name: Text) -> Response:
    """A version from the models folder."""
    service_of(request).versions.add(name, by(request, "engineer"))
    return RedirectResponse("/models", 303)


@router.post("/models/train")
def train_model(request: Request) -> Response:
    """A new version out of reviewed parts."""
    service_of(request).learning.train(by(request, "engineer"))
    return RedirectResponse("/models", 303)


@router.post("/models/grow")
def grow_model(request: Request) -> Response:
    """The active version with what it wrongly stopped."""
    service_of(request).learning.grow(by(request, "engineer"))
    return RedirectResponse("/models", 303)


@router.post("/models/shadow/end")
def end_shadow(request: Request) -> Response:
    """Nothing judges beside the active one."""
    service_of(request).set_shadow(None, by(request, "engineer"))
    return RedirectResponse("/models", 303)


@router.post("/models/{number}/activate")
def activate_model(request: Request, number: int) -> Response:
    """Judge by this version; also the way back."""
    service_of(request).activate(number, by(request, "engineer"))
    return RedirectResponse("/models", 303)


@router.post("/models/{number}/shadow")
def shadow_model(request: Request, number: int) -> Response:
    """Judge beside the active one."""
    service_of(request).set_shadow(number, by(request, "engineer"))
    return RedirectResponse("/models", 303)


@router.post("/models/{number}/compare")
def compare_model(request: Request, number: int) -> Response:
    """Ask a version about all reviewed parts."""
    service_of(request).learning.compare(number, by(request, "engineer"))
    return RedirectResponse("/models", 303)

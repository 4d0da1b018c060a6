"""The pages that engineers work with: threshold, models, rig."""

import time

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from afrd.rates import stated_and_seen
from afrd.station import charts, drift, statistics
from afrd.station.page import Text, by, page, service_of

router = APIRouter(include_in_schema=False)


@router.get("/threshold")
def threshold(request: Request, at: float | None = None) -> Response:
    """Scores, the false-alarm rate, and what another threshold would have changed."""
    service = service_of(request)
    version = service.judge.version
    own = version.inspector.threshold
    now = version.threshold if version.threshold is not None else own
    parts = service.statistics.newest(version.name)
    alarms, good, low, high = statistics.false_alarms(parts)
    past_day = [part for part in parts if part.taken_at >= time.time() - 86400]
    change = statistics.what_if(past_day, at / now) if at is not None and 0 < at < float("inf") else None
    return page(
        request,
        "threshold.html",
        "Threshold",
        version=version,
        card=version.inspector.card,
        own=own,
        threshold=now,
        parts=parts,
        stated=stated_and_seen(version.inspector.config, alarms, good),
        histogram_svg=charts.histogram_svg(statistics.histogram(parts)),
        alarms=alarms,
        good=good,
        low=low,
        high=high,
        at=at if change else now,
        change=change,
        audit=service.versions.audit(),
    )


@router.post("/threshold")
def set_threshold(request: Request, threshold: Text = "", reason: Text = "") -> Response:
    """Judge at another threshold from now on, on the audit log."""
    service = service_of(request)
    if not reason.strip():
        raise HTTPException(422, "say why")
    try:
        value = float(threshold) if threshold else None
    except ValueError as error:
        raise HTTPException(422, f"threshold {threshold!r}: expected a number") from error
    service.versions.set_threshold(value, service.judge, by(request, "engineer"), reason.strip())
    return RedirectResponse("/threshold", 303)


@router.get("/models")
def models(request: Request) -> Response:
    """Versions, which judges, and what people found of each."""
    service = service_of(request)
    rows = service.versions.rows()
    return page(
        request,
        "models.html",
        "Models",
        models=[(row, service.statistics.agreement(row.name)) for row in rows],
        active=service.judge.version.name,
        previous=service.versions.previous(),
        folder=service.versions.folder,
        found=service.versions.found(),
        audit=service.versions.audit(),
    )


@router.post("/models")
def add_model(request: Request, name: Text) -> Response:
    """A version from the models folder."""
    service_of(request).versions.add(name, by(request, "engineer"))
    return RedirectResponse("/models", 303)


@router.post("/models/{number}/activate")
def activate_model(request: Request, number: int) -> Response:
    """Judge by this version; also the way back."""
    service = service_of(request)
    service.versions.activate(number, service.judge, by(request, "engineer"))
    return RedirectResponse("/models", 303)


@router.get("/rig")
def rig(request: Request) -> Response:
    """Drift of every light, scores over time, and what was refused."""
    service = service_of(request)
    found = service.charts()
    rows = service.statistics.figures(service.versions.activated_at())
    shares = [row.score / row.threshold for row in rows if row.threshold and row.verdict != "light fault"]
    return page(
        request,
        "rig.html",
        "Rig",
        charts={
            figure: [(each, charts.drift_svg(each)) for each in found if each.figure == figure]
            for figure in (drift.FIGURES if found else ())
        },
        drifting=[each for each in found if each.out],
        baseline=drift.BASELINE,
        weight=drift.WEIGHT,
        scores=charts.scores_svg(shares) if shares else "",
        refused=service.refusals.count,
        refusals=list(service.refusals.newest),
    )

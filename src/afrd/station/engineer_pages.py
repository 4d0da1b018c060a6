"""The pages that engineers work with: threshold and rig; models have a file of their own."""

import time

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from afrd.rates import stated_rate
from afrd.rig import WEIGHT
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
    share = now / own if own > 0 else 1.0
    alarms, good, low, high = statistics.false_alarms(parts, share)
    change = None
    if at is not None and 0 < at < float("inf") and own > 0:
        past_day = service.statistics.newest(version.name, limit=None, since=time.time() - 86400)
        change = statistics.what_if(past_day, at / own)
    return page(
        request,
        "threshold.html",
        "Threshold",
        version=version,
        card=version.inspector.card,
        own=own,
        threshold=now,
        parts=parts,
        stated=stated_rate(version.inspector.config),  # not held against reviewed parts: those are the stopped ones
        histogram_svg=charts.histogram_svg(statistics.histogram(parts, share)),
        alarms=alarms,
        good=good,
        low=low,
        high=high,
        at=at if change else now,
        change=change,
        audit=service.versions.audit(),
    )


@router.post("/threshold")
def set_threshold(request: Request, threshold: Text = "", reason: Text = "", model: Text = "") -> Response:
    """Judge at another threshold from now on, on the audit log. model: that it is meant for; empty: whatever judges."""
    service = service_of(request)
    if model and model != (judges := service.judge.version.name):
        raise HTTPException(409, f"the threshold is for {model}, and {judges} judges meanwhile; look at the page again")
    if not reason.strip():
        raise HTTPException(422, "say why")
    try:
        value = float(threshold) if threshold else None
    except ValueError as error:
        raise HTTPException(422, f"threshold {threshold!r}: expected a number") from error
    service.versions.set_threshold(value, service.judge, by(request, "engineer"), reason.strip())
    return RedirectResponse("/threshold", 303)


@router.get("/rig")
def rig(request: Request) -> Response:
    """Drift of every light, scores over time, and what was refused."""
    service = service_of(request)
    registration = service.registration_charts()
    found = [*service.rig_charts(), *registration]
    shares = service.statistics.shares(service.judge.version.name)
    return page(
        request,
        "rig.html",
        "Rig",
        charts={
            quantity: [(each, charts.drift_svg(each)) for each in found if each.quantity == quantity]
            for quantity in dict.fromkeys(each.quantity for each in found)
        },
        known=service.rig.known,
        drifting=service.drifts(registration),
        baseline=drift.BASELINE,
        weight=WEIGHT,
        scores=charts.scores_svg(shares) if shares else "",
        refused=service.refusals.count,
        refusals=list(service.refusals.newest),
    )

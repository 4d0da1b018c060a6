"""The pages that operators work with: they read records, fill a template, and change things only by POST."""

import time
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request, Response
from fastapi.responses import FileResponse, RedirectResponse

from afrd.station.files import MAP_FILE
from afrd.station.history import Filter
from afrd.station.page import Text, by, message, page, row_of, service_of
from afrd.station.pictures import THUMBNAIL_FILE, map_overlay
from afrd.station.records import VERDICTS

router = APIRouter(include_in_schema=False)
PAGE = 48
MOST_ZIPPED = 2000
_LARGEST = 2**63 - 1  # that a database compares with
_FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}


@router.get("/")
def root() -> Response:
    """To the first page."""
    return RedirectResponse("/live")


@router.get("/live")
def live(request: Request) -> Response:
    """The last part, large."""
    return page(request, "live.html", "Live", **(_live(request) or {}))


@router.get("/live/panel")
def live_panel(request: Request, seen: str = "") -> Response:
    """The same without the page around it; 204 where it shows what it did. seen: the mark that it carried then."""
    values = _live(request, seen)
    return Response(status_code=204) if values is None else page(request, "live_panel.html", "Live", **values)


def _live(request: Request, seen: str | None = None) -> dict[str, Any] | None:
    """None where nothing is new since the mark `seen`."""
    service = service_of(request)
    newest = service.history.page(limit=1)
    row = newest[0] if newest else None
    last = {
        "current": service.shown_last(row.id if row else None),
        "problems": service.problems(),
        "refusals": [each for each in tuple(service.refusals.newest) if each.capture][:1],
        "shift": service.config.shift_start(time.time()),
    }
    mark = sha256(repr((row and (row.id, row.state), last)).encode()).hexdigest()
    if mark == seen:
        return None
    return last | {
        "row": row,
        "mark": mark,
        "lights": service.intake.lights,
        "counts": service.statistics.counts(last["shift"]),
        "drifting": service.drifts(),
        "rig_known": service.rig.known,
        "host": request.url.netloc,
    }


# the fields of the form
FILTERS = ("verdict", "label", "shown_by", "model", "day", "last_day", "score_from", "score_to")


def wanted_by(
    verdict: str = "",
    label: str = "",
    shown_by: str = "",
    model: str = "",
    day: str = "",
    last_day: str = "",
    score_from: str = "",
    score_to: str = "",
) -> Filter:
    """The filter of the form; what was left empty finds all. Raises HTTPException: no such day or number.

    day: the first; alone, it is the last one, too. Both limits of the score are included.
    """
    try:
        since = _day(date.fromisoformat(day))[0] if day else None
        until = _day(date.fromisoformat(last_day or day))[1] if last_day or day else None
        least, most = (float(score) if score else None for score in (score_from, score_to))
    except (ValueError, OverflowError, OSError) as error:
        raise HTTPException(422, f"{error}; expected a day as 2030-12-31, and a number") from error
    names = (name or None for name in (verdict, label, model, shown_by))
    return Filter(*names, since=since, until=until, score_from=least, score_to=most)


def _day(day: date) -> tuple[float, float | None]:
    """From its local midnight to the next, 23 to 25 hours later; the last day of the calendar has no end."""
    midnight = datetime.combine(day, datetime.min.time())
    return midnight.timestamp(), None if day == date.max else (midnight + timedelta(days=1)).timestamp()


Wanted = Annotated[Filter, Depends(wanted_by)]


@router.get("/history")
def history(request: Request, wanted: Wanted, before: str | None = None) -> Response:
    """Parts by filter, newest first."""
    service = service_of(request)
    rows = service.history.page(wanted, PAGE + 1, before)
    if rows is None:
        raise HTTPException(404, f"no part {before!r}")
    chosen = {name: value for name in FILTERS if (value := request.query_params.get(name))}
    return page(
        request,
        "history.html",
        "History",
        rows=rows[:PAGE],
        more=len(rows) > PAGE,
        wanted=wanted,
        days=(chosen.get("day", ""), chosen.get("last_day", "")),
        verdicts=VERDICTS,
        lights=service.intake.lights,
        models=[row.name for row in service.versions.rows()],
        query=lambda **more: urlencode(chosen | more),
        zipped=MOST_ZIPPED,
    )


@router.get("/parts/{id}")
def part(request: Request, id: str) -> Response:
    """One part, all that is known."""
    service = service_of(request)
    found = service.history.get(id)
    if found is None:
        return message(request, "No such part", f"There is no part {id!r} on record.", 404)
    return page(request, "part.html", "Part", row=found[0], reviews=found[1], types=service.statistics.defect_types())


@router.get("/parts/{id}/overlay.png")
def overlay(request: Request, id: str) -> Response:
    """The map in colour, to lie over a light."""
    row = row_of(request, id)
    path = service_of(request).store.files.path(row.folder or "", MAP_FILE)
    return Response(map_overlay(path, row.threshold or 1.0), media_type="image/png", headers=_FOREVER)


@router.get("/parts/{id}/alike")
def alike(request: Request, id: str) -> Response:
    """Good parts that look most like it."""
    found = service_of(request).gallery.nearest(row_of(request, id), lambda id: f"/parts/{quote(id)}/{THUMBNAIL_FILE}")
    return page(request, "alike.html", "Part", alike=found)


@router.get("/training/{name}")
def training(request: Request, name: str) -> Response:
    """The small picture of a capture of the training."""
    path = service_of(request).gallery.path(name)
    if path is None:
        raise HTTPException(404, f"no picture {name!r} of the training")
    return FileResponse(path, headers=_FOREVER)


@router.get("/parts/{id}/{name}")
def small_file(request: Request, id: str, name: str) -> Response:
    """Thumbnail, or a brushed mask."""
    if name != THUMBNAIL_FILE and not name.startswith("mask-"):
        raise HTTPException(404, f"part {id}: no {name!r}")
    row = row_of(request, id)
    return FileResponse(service_of(request).store.files.path(row.folder or "", name), headers=_FOREVER)


@router.post("/parts/{id}/review")
def review_part(request: Request, id: str, label: Text, defect_type: Text = "") -> Response:
    """What a person says of a part on its own page."""
    _review(request, id, label, defect_type, "")
    return RedirectResponse(f"/parts/{quote(id)}", 303)


@router.get("/review")
def review(request: Request, after: Annotated[int | None, Query(ge=0, le=_LARGEST)] = None) -> Response:
    """The next part that waits for a person."""
    service = service_of(request)
    return page(
        request,
        "review.html",
        "Review",
        row=service.statistics.next_to_review(after),
        skipped=after is not None,
        waiting=service.statistics.to_review(),
        agreement=service.statistics.agreement(),
        types=service.statistics.defect_types(),
    )


@router.post("/review/{id}")
def review_next(
    request: Request,
    id: str,
    label: Text,
    defect_type: Text = "",
    mask: Annotated[str, Form(max_length=20_000_000)] = "",
) -> Response:
    """What a person says in the queue; then the next one."""
    number = _review(request, id, label, defect_type, mask)
    return RedirectResponse(f"/review?after={number}", 303)


def _review(request: Request, id: str, label: str, defect_type: str, mask: str) -> int:
    service = service_of(request)
    row = row_of(request, id)
    kind = defect_type.strip() or None
    service.review(id, label, kind if label == "defect" else None, by(request), mask)
    return row.number

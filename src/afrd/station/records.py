"""A record as JSON values: what the API answers, the sinks send and the pages show."""

import math
from datetime import UTC, datetime
from typing import Any

from afrd.fail_safe import lights_in
from afrd.rig import QUANTITIES
from afrd.station.tables import CaptureRow, ReviewRow

NOT_JUDGED = "not judged"
VERDICTS = ("good", "review", "anomalous", "light fault", NOT_JUDGED)


def answer(row: CaptureRow) -> dict[str, Any]:
    """What a client that sent the capture is told. An infinite threshold, which JSON does not hold, becomes null."""
    finite = row.threshold is not None and math.isfinite(row.threshold)
    return {
        "id": row.id,
        "verdict": row.verdict or NOT_JUDGED,
        "score": row.score,
        "threshold": row.threshold if finite else None,
        "shown_by": row.shown_by,
        "light_notes": row.light_notes,
        "seconds": row.seconds,
        "model": row.model,
    }


def summary(row: CaptureRow) -> dict[str, Any]:
    """The same, with what a list of captures shows."""
    return answer(row) | {
        "taken_at": iso(row.taken_at),
        "source": row.source,
        "late": row.late,
        "label": row.label,
        "note": row.note,
        "images": row.folder is not None,
    }


def detail(row: CaptureRow, reviews: list[ReviewRow]) -> dict[str, Any]:
    """All that is on record."""
    return summary(row) | {
        "lights": list(row.files),
        "light_evidence": row.light_evidence,
        "rig": row.rig_deviations and dict(zip(QUANTITIES, row.rig_deviations, strict=True)),
        "shifts": row.shifts and dict(zip(row.files, row.shifts, strict=True)),
        "inspection_seconds": row.inspection_seconds,
        "digest": row.digest,
        "reviews": [review(each) for each in reviews],
    }


def review(row: ReviewRow) -> dict[str, Any]:
    """What a person said."""
    return {"label": row.label, "defect_type": row.defect_type, "by": row.by, "at": iso(row.at), "mask": bool(row.mask)}


def not_to_learn_from(row: CaptureRow) -> str | None:
    """Why a part is no example of a good one or of a defect, whatever was said of it; None: it is one.

    A model that learned from parts with a dead light would take that for usual, and pass what only this light shows.
    """
    if row.verdict is None:
        return f"{NOT_JUDGED}: {row.note}"
    faults = [note for note in row.light_notes if lights_in(note, tuple(row.files))]
    if row.verdict == "light fault" or faults:
        return "; ".join(faults) or "light fault"
    return None


def iso(seconds: float) -> str:
    """Seconds since 1970 as ISO 8601, UTC, milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

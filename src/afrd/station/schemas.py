"""The bodies of the API, for its OpenAPI schema and for checking what comes in."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Verdict = Literal["good", "review", "anomalous", "light fault", "not judged"]


class Answer(BaseModel):
    """seconds: from arrival to answer. shown_by: light with the most evidence; null for a good part."""

    id: str
    verdict: Verdict
    score: float | None
    threshold: float | None
    shown_by: str | None
    light_notes: list[str]
    seconds: float | None
    model: str | None


class Summary(Answer):
    """taken_at: ISO 8601, UTC. late: longer than the cycle allows. label: of the newest review. images: stored."""

    taken_at: str
    source: str
    late: bool
    label: Literal["good", "defect"] | None
    note: str | None
    images: bool


class Review(BaseModel):
    """What a person said of a part."""

    label: Literal["good", "defect"]
    defect_type: str | None
    by: str
    at: str
    mask: bool


class Detail(Summary):
    """All that is on record. digest: SHA-256 of the images.

    rig: quantity → deviation from training, logarithms, of the whole rig and then of each light. shifts: light → x, y
    in pixels against the other lights, once it was measured.
    """

    lights: list[str]
    light_evidence: dict[str, float] | None
    rig: dict[str, list[float]] | None
    shifts: dict[str, list[float]] | None
    inspection_seconds: float | None
    digest: str
    reviews: list[Review]


class ReviewRequest(BaseModel):
    """defect_type: of a defect only."""

    model_config = ConfigDict(extra="forbid")

    label: Literal["good", "defect"]
    defect_type: Annotated[str, StringConstraints(pattern=r"^[^\W_][\w .-]{0,63}$")] | None = None


class Health(BaseModel):
    """status: ok, or degraded with its problems. queue: captures waiting or being judged."""

    status: Literal["ok", "degraded"]
    model: str
    queue: int
    queue_size: int
    problems: list[str]


class Failure(BaseModel):
    """detail: a sentence, or one entry for each light or field that is wrong."""

    detail: str | list[dict[str, Any]]


FAILURE: dict[str, Any] = {"model": Failure}
Limit = Annotated[int, Field(ge=1, le=1000)]

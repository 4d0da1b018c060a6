"""The records of a station, as tables of SQLite or PostgreSQL. Migrations in `migrations/` build the same."""

import time
from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, Double, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    type_annotation_map: ClassVar = {float: Double, dict[str, Any]: JSON, list[Any]: JSON, str: String(64)}


class CaptureRow(Base):
    """One part. Times are seconds since 1970, UTC.

    number: in the order in which they were taken. state: taken (not yet judged), judged, or failed (`note` says why).
    digest: SHA-256 of the images. folder: of images and map, relative to the data folder; None where they could not be
    stored or were removed by retention. files: light → file name; bytes: of these, thumbnail, map and masks.
    seconds: from arrival until the verdict is put on record, images and map being stored; inspection_seconds: of the
    inspection alone. late: longer than the cycle allows.
    own_threshold: what the model itself would have judged by, where a person set another; None where an older afrd kept
    too little to tell. label: of the newest review, good or defect.
    rig_deviations: of `afrd.rig.QUANTITIES`, each of the whole rig and then of each light, from the model's training.
    shifts: x, y in pixels of each light against the others, once known.
    """

    __tablename__ = "captures"
    __table_args__ = (
        UniqueConstraint("station", "id"),
        Index("captures_newest", "station", "number"),
        Index("captures_by_model", "station", "model", "number"),
        Index("captures_to_review", "station", "state", "label", "verdict", "number"),
        Index("captures_by_verdict", "station", "verdict", "number"),
        Index("captures_by_state", "station", "state", "number"),
        Index("captures_by_label", "station", "label", "number"),
        Index("captures_by_light", "station", "shown_by", "number"),
        Index("captures_by_time", "station", "taken_at"),
        {"sqlite_autoincrement": True},  # a number is never used again
    )

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    station: Mapped[str]
    id: Mapped[str]
    state: Mapped[str] = mapped_column(String(16))
    source: Mapped[str]
    taken_at: Mapped[float]
    judged_at: Mapped[float | None]
    digest: Mapped[str]
    folder: Mapped[str | None] = mapped_column(String(256))
    files: Mapped[dict[str, Any]]
    bytes: Mapped[int] = mapped_column(BigInteger)
    verdict: Mapped[str | None] = mapped_column(String(16))
    score: Mapped[float | None]
    threshold: Mapped[float | None]
    own_threshold: Mapped[float | None]
    shown_by: Mapped[str | None]
    light_evidence: Mapped[dict[str, Any] | None]
    light_notes: Mapped[list[Any]]
    rig_deviations: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))
    shifts: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))
    model: Mapped[str | None] = mapped_column(String(128))
    seconds: Mapped[float | None]
    inspection_seconds: Mapped[float | None]
    late: Mapped[bool]
    note: Mapped[str | None] = mapped_column(Text)
    label: Mapped[str | None] = mapped_column(String(16))

    reviews: Mapped[list["ReviewRow"]] = relationship(order_by="ReviewRow.number", lazy="raise")


class ReviewRow(Base):
    """What a person said of a part. label: good or defect. mask: file beside the images, where one was brushed."""

    __tablename__ = "reviews"

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    capture: Mapped[int] = mapped_column(ForeignKey("captures.number", ondelete="CASCADE"), index=True)
    at: Mapped[float]
    by: Mapped[str]
    label: Mapped[str] = mapped_column(String(16))
    defect_type: Mapped[str | None]
    mask: Mapped[str | None]


class OpinionRow(Base):
    """What a model that did not judge a part says of it: beside the one that did, or asked later."""

    __tablename__ = "opinions"
    __table_args__ = (UniqueConstraint("capture", "model"), Index("opinions_by_model", "model"))

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    capture: Mapped[int] = mapped_column(ForeignKey("captures.number", ondelete="CASCADE"))
    model: Mapped[str] = mapped_column(String(128))
    at: Mapped[float]
    verdict: Mapped[str] = mapped_column(String(16))
    score: Mapped[float]
    threshold: Mapped[float]


class ModelRow(Base):
    """A version that a station can judge with. threshold: set by a person instead of the model's own; else None.

    shadow: judges beside the active one. snapshot: SHA-256 of the list of captures that it learned from
    (`snapshot.parquet` in its folder), where the station made it.
    """

    __tablename__ = "models"
    __table_args__ = (UniqueConstraint("station", "name"),)

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    station: Mapped[str]
    name: Mapped[str] = mapped_column(String(128))
    path: Mapped[str] = mapped_column(Text)
    added_at: Mapped[float]
    activated_at: Mapped[float | None]
    threshold: Mapped[float | None]
    card: Mapped[dict[str, Any]]
    shadow: Mapped[bool] = mapped_column(default=False)
    snapshot: Mapped[str | None]


class AuditRow(Base):
    """One change: who did what to which thing."""

    __tablename__ = "audit"

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    station: Mapped[str]
    at: Mapped[float]
    by: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str] = mapped_column(String(128))
    detail: Mapped[dict[str, Any]]


def audited(station: str, by: str, action: str, subject: str, detail: dict[str, Any]) -> AuditRow:
    """A change made now, to be committed with it."""
    return AuditRow(station=station, at=time.time(), by=by, action=action, subject=subject, detail=detail)


class OutboxRow(Base):
    """One message to one sink that has not been delivered yet."""

    __tablename__ = "outbox"
    __table_args__ = (Index("outbox_by_sink", "station", "sink", "number"), {"sqlite_autoincrement": True})

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    station: Mapped[str]
    sink: Mapped[str]
    at: Mapped[float]
    message: Mapped[dict[str, Any]]

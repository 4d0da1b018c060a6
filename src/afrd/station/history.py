"""Looking captures up: newest first, by filters that have an index, page by page."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, Select, select, tuple_
from sqlalchemy.orm import Session

from afrd.station.records import NOT_JUDGED
from afrd.station.tables import CaptureRow, ReviewRow


@dataclass(frozen=True)
class Filter:
    """What to find; None finds all. verdict may be "not judged". Times are seconds since 1970, `until` excluded."""

    verdict: str | None = None
    label: str | None = None
    model: str | None = None
    shown_by: str | None = None
    since: float | None = None
    until: float | None = None
    score_from: float | None = None
    score_to: float | None = None


class History:
    """The captures of one station that were judged or marked; those still in work are not shown."""

    def __init__(self, engine: Engine, station: str) -> None:
        self._engine, self._station = engine, station

    def page(self, wanted: Filter = Filter(), limit: int = 50, before: str | None = None) -> list[CaptureRow] | None:
        """Newest first; before: id of the last capture of the page above. None where there is no such capture."""
        by_time = wanted.since is not None or wanted.until is not None  # as the index of times lies
        order = (CaptureRow.taken_at, CaptureRow.number) if by_time else (CaptureRow.number,)
        with Session(self._engine, expire_on_commit=False) as session:
            query = self.query(wanted).order_by(*(column.desc() for column in order)).limit(limit)
            if before is not None:
                last = session.execute(self._of_station(select(*order)).where(CaptureRow.id == before)).one_or_none()
                if last is None:
                    return None
                query = query.where(tuple_(*order) < tuple_(*last))
            return list(session.scalars(query))

    def get(self, id: str) -> tuple[CaptureRow, list[ReviewRow]] | None:
        """One capture and what was said about it, oldest first."""
        with Session(self._engine, expire_on_commit=False) as session:
            row = session.scalar(self.query(Filter()).where(CaptureRow.id == id))
            if row is None:
                return None
            reviews: Sequence[ReviewRow] = session.scalars(
                select(ReviewRow).where(ReviewRow.capture == row.number).order_by(ReviewRow.number)
            ).all()
            return row, list(reviews)

    def query(self, wanted: Filter) -> Select[tuple[CaptureRow]]:
        """Of the station's captures, those wanted."""
        query = self._of_station(select(CaptureRow))
        if wanted.verdict == NOT_JUDGED:
            query = query.where(CaptureRow.state == "failed")
        elif wanted.verdict is not None:
            query = query.where(CaptureRow.verdict == wanted.verdict)
        else:
            query = query.where(CaptureRow.state != "taken")
        for column, value in (
            (CaptureRow.label, wanted.label),
            (CaptureRow.model, wanted.model),
            (CaptureRow.shown_by, wanted.shown_by),
        ):
            if value is not None:
                query = query.where(column == value)
        if wanted.since is not None:
            query = query.where(CaptureRow.taken_at >= wanted.since)
        if wanted.until is not None:
            query = query.where(CaptureRow.taken_at < wanted.until)
        if wanted.score_from is not None:
            query = query.where(CaptureRow.score >= wanted.score_from)
        if wanted.score_to is not None:
            query = query.where(CaptureRow.score <= wanted.score_to)
        return query

    def _of_station(self, query: Select) -> Select:
        return query.where(CaptureRow.station == self._station)

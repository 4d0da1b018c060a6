"""Counts and distributions over the records of a station, for the pages. Only sums that an index or a limit bounds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Engine, Select, and_, case, func, select
from sqlalchemy.orm import Session

from afrd.station.records import NOT_JUDGED, VERDICTS
from afrd.station.tables import CaptureRow, OpinionRow, ReviewRow

NEWEST = 5000  # parts that histogram and drift look back on


@dataclass(frozen=True)
class Agreement:
    """Parts that people reviewed: what they said against what the system had said.

    passed: good by the system; stopped: any other verdict.
    """

    good_passed: int
    good_stopped: int
    defect_passed: int
    defect_stopped: int

    @property
    def reviewed(self) -> int:
        """All of them."""
        return self.good_passed + self.good_stopped + self.defect_passed + self.defect_stopped

    @property
    def agreed(self) -> float | None:
        """Share in which both say the same; None before the first review."""
        return (self.good_passed + self.defect_stopped) / self.reviewed if self.reviewed else None


@dataclass(frozen=True)
class Beside:
    """Parts that another model judged: what both say. stops: this one alone would; passes: this one alone would.

    apart: (id, verdict of the one that judged, of this one, label) of the newest on which they differ.
    """

    both_pass: int
    both_stop: int
    stops: int
    passes: int
    apart: list[tuple[Any, ...]]

    @property
    def parts(self) -> int:
        """All of them."""
        return self.both_pass + self.both_stop + self.stops + self.passes


@dataclass(frozen=True)
class Scored:
    """One part of the newest. own: the model's own threshold for it. label: good, defect, None where nobody looked."""

    id: str
    score: float
    own: float
    verdict: str
    label: str | None
    taken_at: float


@dataclass(frozen=True)
class Change:
    """What another threshold would have made of parts that were judged, against what was said of them."""

    judged: int
    newly_stopped: int
    newly_passed: int
    good_stopped: int
    defect_passed: int


class Statistics:
    """Of one station."""

    def __init__(self, engine: Engine, station: str) -> None:
        self._engine, self._of_station = engine, CaptureRow.station == station

    def counts(self, since: float) -> dict[str, int]:
        """Verdict → parts taken since then (seconds since 1970)."""
        verdict = case((CaptureRow.state == "failed", NOT_JUDGED), else_=CaptureRow.verdict)
        query = (
            select(verdict, func.count())
            .where(self._of_station, CaptureRow.taken_at >= since, CaptureRow.state != "taken")
            .group_by(verdict)
        )
        with Session(self._engine) as session:
            found: dict[str, int] = dict(session.execute(query).all())
        return {name: found.get(name, 0) for name in VERDICTS}

    def agreement(self, model: str | None = None) -> Agreement:
        """Over all reviewed parts; of one model over those that it judged or was asked about."""
        verdict: ColumnElement[Any] = CaptureRow.verdict
        conditions = [self._of_station, CaptureRow.label.is_not(None), CaptureRow.state == "judged"]
        if model is not None:
            verdict = case((CaptureRow.model == model, CaptureRow.verdict), else_=OpinionRow.verdict)
            conditions.append(verdict.is_not(None))
        passed = verdict == "good"
        query = select(CaptureRow.label, passed, func.count())
        if model is not None:
            query = query.outerjoin(OpinionRow, _said_by(model))
        with Session(self._engine) as session:
            rows = session.execute(query.where(*conditions).group_by(CaptureRow.label, passed)).all()
        found = {(label, bool(good)): count for label, good, count in rows}
        pairs = (("good", True), ("good", False), ("defect", True), ("defect", False))
        return Agreement(*(found.get(pair, 0) for pair in pairs))

    def beside(self, model: str, newest: int = 20) -> Beside:
        """What a model says beside those that judged."""
        others, own = CaptureRow.verdict == "good", OpinionRow.verdict == "good"
        query = (
            select(others, own, func.count())
            .join(OpinionRow, _said_by(model))
            .where(self._of_station, CaptureRow.model != model)
            .group_by(others, own)
        )
        apart = (
            select(CaptureRow.id, CaptureRow.verdict, OpinionRow.verdict, CaptureRow.label)
            .join(OpinionRow, _said_by(model))
            .where(self._of_station, CaptureRow.model != model, others != own)
            .order_by(CaptureRow.number.desc())
            .limit(newest)
        )
        with Session(self._engine) as session:
            found = {(bool(judged), bool(said)): count for judged, said, count in session.execute(query)}
            rows = [tuple(row) for row in session.execute(apart)]
        counts = (found.get(pair, 0) for pair in ((True, True), (False, False), (True, False), (False, True)))
        return Beside(*counts, rows)

    def to_review(self) -> int:
        """Parts that wait for a person."""
        with Session(self._engine) as session:
            return session.scalar(select(func.count()).select_from(CaptureRow).where(self._waiting())) or 0

    def next_to_review(self, after: int | None = None) -> CaptureRow | None:
        """The oldest that waits; after: the number of one that was skipped."""
        query = select(CaptureRow).where(self._waiting()).order_by(CaptureRow.number).limit(1)
        if after is not None:
            query = query.where(CaptureRow.number > after)
        with Session(self._engine, expire_on_commit=False) as session:
            return session.scalar(query)

    def newest(self, model: str, limit: int | None = NEWEST, since: float | None = None) -> list[Scored]:
        """Parts that a model judged, newest first; light faults aside, whose scores mean nothing.

        limit: None for all. since: seconds since 1970.
        Left out, too, are parts of an older afrd of which the model's own threshold is not known.
        """
        columns = (CaptureRow.id, CaptureRow.score, CaptureRow.own_threshold, CaptureRow.verdict, CaptureRow.label)
        query = (
            select(*columns, CaptureRow.taken_at)
            .where(self._of_station, CaptureRow.model == model, CaptureRow.verdict != "light fault")
            .where(CaptureRow.own_threshold.is_not(None))
            .order_by(CaptureRow.number.desc())
            .limit(limit)
        )
        if since is not None:
            later = CaptureRow.taken_at >= since
            first = select(func.min(CaptureRow.number)).where(self._of_station, later).scalar_subquery()
            query = query.where(
                CaptureRow.number >= first, later
            )  # the number bounds what is read of the model's index
        with Session(self._engine) as session:
            return [Scored(*row) for row in session.execute(query)]

    def rig(self, model: str, newest: int) -> list[Any]:
        """(id, rig_deviations) of the newest captures that a model judged, oldest first."""
        query = select(CaptureRow.id, CaptureRow.rig_deviations).where(CaptureRow.rig_deviations.is_not(None))
        return self._newest_of(query, model, newest)

    def shifts(self, model: str, newest: int, oldest: int) -> list[Any]:
        """(number, shifts) of captures that a model judged, oldest first: the first ones, and the newest."""
        query = select(CaptureRow.number, CaptureRow.shifts).where(CaptureRow.shifts.is_not(None))
        last = self._newest_of(query, model, newest)
        with Session(self._engine) as session:
            mine = query.where(self._of_station, CaptureRow.model == model)
            first = session.execute(mine.order_by(CaptureRow.number).limit(oldest)).all()
        return [row for row in first if row.number < last[0].number] + last if last else []

    def shares(self, model: str, newest: int = 300) -> list[float]:
        """Score over threshold of the newest parts that a model judged, oldest first; light faults aside."""
        query = select(CaptureRow.score, CaptureRow.threshold).where(
            CaptureRow.verdict != "light fault", CaptureRow.threshold > 0
        )
        shares = [score / threshold for score, threshold in self._newest_of(query, model, newest)]
        return [share for share in shares if math.isfinite(share)]  # older records may hold a threshold of almost zero

    def _newest_of(self, query: Select[Any], model: str, newest: int) -> list[Any]:
        mine = query.where(self._of_station, CaptureRow.model == model)
        with Session(self._engine) as session:
            return session.execute(mine.order_by(CaptureRow.number.desc()).limit(newest)).all()[::-1]

    def defect_types(self) -> list[str]:
        """Those that people named, most frequent first."""
        query = (
            select(ReviewRow.defect_type)
            .join(CaptureRow, CaptureRow.number == ReviewRow.capture)
            .where(self._of_station, ReviewRow.defect_type.is_not(None))
            .group_by(ReviewRow.defect_type)
            .order_by(func.count().desc())
            .limit(50)
        )
        with Session(self._engine) as session:
            return [name for name in session.scalars(query) if name]

    def _waiting(self) -> ColumnElement[bool]:
        verdicts = CaptureRow.verdict.in_(("review", "anomalous"))
        return and_(self._of_station, verdicts, CaptureRow.label.is_(None), CaptureRow.state == "judged")


def _said_by(model: str) -> ColumnElement[bool]:
    return and_(OpinionRow.capture == CaptureRow.number, OpinionRow.model == model)


def what_if(parts: Sequence[Scored], share: float) -> Change:
    """Parts judged again by `share` × the model's own threshold, from their stored scores."""
    stopped_now = [part for part in parts if part.score > part.own * share]
    stopped = {part.id for part in parts if part.verdict == "anomalous"}
    again = {part.id for part in stopped_now}
    return Change(
        judged=len(parts),
        newly_stopped=len(again - stopped),
        newly_passed=len(stopped - again),
        good_stopped=sum(part.label == "good" for part in stopped_now),
        defect_passed=sum(part.label == "defect" and part.id not in again for part in parts),
    )


def false_alarms(parts: Sequence[Scored], share: float = 1.0, confidence: float = 0.9) -> tuple[int, int, float, float]:
    """(false alarms, good parts, least and largest rate) of reviewed good parts, by Clopper and Pearson.

    share: as of `what_if`.
    """
    from scipy.special import betaincinv  # half a second, which a start need not wait for

    good = [part for part in parts if part.label == "good"]
    alarms, n = sum(part.score > part.own * share for part in good), len(good)
    rest = (1 - confidence) / 2
    low = float(betaincinv(alarms, n - alarms + 1, rest)) if alarms else 0.0
    high = float(betaincinv(alarms + 1, n - alarms, 1 - rest)) if alarms < n else 1.0
    return alarms, n, low, high


def histogram(parts: Sequence[Scored], share: float = 1.0, bins: int = 40) -> list[tuple[float, int, int, int]]:
    """(lower edge as a share of the threshold, not reviewed, reviewed good, reviewed defect) for each bin up to 2.

    share: that threshold, as of `what_if`.
    """
    counts = [[0, 0, 0] for _ in range(bins)]
    column = {None: 0, "good": 1, "defect": 2}
    for part in parts:
        threshold = part.own * share
        height = part.score / threshold if threshold > 0 else 2.0
        counts[int(min(bins - 1, max(0, height / 2 * bins)))][column[part.label]] += 1
    return [(2 * k / bins, *row) for k, row in enumerate(counts)]

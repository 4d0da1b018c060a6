"""The models of a station: which there are, which judges, and who changed it."""

import time
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Engine, Select, select
from sqlalchemy.orm import Session

from afrd.errors import StationError
from afrd.fail_safe import OnLightFault
from afrd.runtimes import SUFFIXES
from afrd.station.database import writing
from afrd.station.judge import Judge, Version, load_version
from afrd.station.tables import AuditRow, ModelRow

FOLDER = "models"


class Versions:
    """root: data folder of the station; new models are put into `root/models`."""

    def __init__(self, engine: Engine, station: str, root: Path, on_light_fault: OnLightFault | None) -> None:
        self._engine, self._writing, self._station = engine, writing(engine), station
        self._on_light_fault = on_light_fault
        self.folder = root / FOLDER
        self.folder.mkdir(exist_ok=True)

    def current(self, configured: Path) -> Version:
        """The one that was active when the station ended; a model of the station file that is new judges at once.

        Raises what `Inspector.load` raises; StationError: the active one was trained anew in its place.
        """
        version = load_version(configured.resolve(), None, self._on_light_fault)
        if all(row.name != version.name for row in self.rows()):
            self._put(version, "station", "activated model of the station file", activate=True)
        active = self._newest_active()
        if active is None or active.name == version.name:
            return version if active is None else replace(version, threshold=active.threshold)
        return self._loaded(active)

    def rows(self) -> list[ModelRow]:
        """All, newest first."""
        with Session(self._engine, expire_on_commit=False) as session:
            return list(session.scalars(self._mine().order_by(ModelRow.number.desc())))

    def previous(self) -> ModelRow | None:
        """The one that judged before the active one."""
        query = self._active().offset(1).limit(1)
        with Session(self._engine, expire_on_commit=False) as session:
            return session.scalar(query)

    def activated_at(self) -> float:
        """When the active one began to judge, in seconds since 1970."""
        row = self._newest_active()
        return row.activated_at if row and row.activated_at else 0.0

    def found(self) -> list[str]:
        """Run folders and artefacts in `folder` that were not added yet."""
        added = {row.path for row in self.rows()}
        candidates = [p for p in sorted(self.folder.iterdir()) if p.is_dir() or p.suffix in SUFFIXES.values()]
        return [path.name for path in candidates if str(path.resolve()) not in added and not path.name.startswith(".")]

    def add(self, name: str, by: str) -> ModelRow:
        """One of `found`; it judges nothing yet. Raises StationError: no such, or the same training is there."""
        if name not in self.found():
            raise StationError(f"model {name!r}: not in {self.folder}, or added before; put the run folder there")
        version = load_version((self.folder / name).resolve(), None, self._on_light_fault)
        if any(row.name == version.name for row in self.rows()):
            raise StationError(f"model {name!r}: {version.name} was added before; it is the same training")
        return self._put(version, by, "added model", activate=False)

    def activate(self, number: int, judge: Judge, by: str) -> ModelRow:
        """Judge by this one from the next capture on. Raises StationError: no such model, or one for other lights."""
        row = next((row for row in self.rows() if row.number == number), None)
        if row is None:
            raise StationError(f"model {number}: no such version")
        before = judge.version.name
        judge.activate(self._loaded(row))
        with Session(self._writing) as session:
            session.get_one(ModelRow, number).activated_at = time.time()
            session.add(self._audit(by, "activated model", row.name, {"before": before}))
            session.commit()
        return row

    def set_threshold(self, threshold: float | None, judge: Judge, by: str, reason: str) -> None:
        """Of the active model; None goes back to its own. Raises StationError: not above zero."""
        if threshold is not None and not 0 < threshold < float("inf"):
            raise StationError(f"threshold {threshold:g}: expected a number above zero")
        version = judge.version
        detail = {"to": threshold, "from": version.threshold, "because": reason}
        with Session(self._writing) as session:
            row = session.scalars(self._mine().where(ModelRow.name == version.name)).one()
            row.threshold = threshold
            session.add(self._audit(by, "set threshold of", version.name, detail))
            session.commit()
        judge.activate(Version(version.name, version.path, version.inspector, threshold))

    def audit(self, limit: int = 20) -> list[AuditRow]:
        """The newest changes."""
        query = select(AuditRow).where(AuditRow.station == self._station).order_by(AuditRow.number.desc()).limit(limit)
        with Session(self._engine, expire_on_commit=False) as session:
            return list(session.scalars(query))

    def record(self, by: str, action: str, subject: str, detail: dict | None = None) -> None:
        """One more line of the audit log."""
        with Session(self._writing) as session:
            session.add(self._audit(by, action, subject, detail or {}))
            session.commit()

    def _loaded(self, row: ModelRow) -> Version:
        version = load_version(Path(row.path), row.threshold, self._on_light_fault)
        if version.name != row.name:
            raise StationError(
                f"model {row.name}: {row.path} holds another training now; add that one as a new version"
            )
        return version

    def _put(self, version: Version, by: str, action: str, activate: bool) -> ModelRow:
        now = time.time()
        row = ModelRow(
            station=self._station,
            name=version.name,
            path=str(version.path),
            added_at=now,
            activated_at=now if activate else None,
            card=version.inspector.card.model_dump(mode="json", exclude={"light_reference"}),
        )
        with Session(self._writing, expire_on_commit=False) as session:
            session.add_all([row, self._audit(by, action, version.name, {})])
            session.commit()
        return row

    def _audit(self, by: str, action: str, subject: str, detail: dict) -> AuditRow:
        return AuditRow(station=self._station, at=time.time(), by=by, action=action, subject=subject, detail=detail)

    def _newest_active(self) -> ModelRow | None:
        with Session(self._engine, expire_on_commit=False) as session:
            return session.scalar(self._active().limit(1))

    def _active(self) -> Select[tuple[ModelRow]]:
        """Those that have judged, the one that judges now first."""
        return self._mine().where(ModelRow.activated_at.is_not(None)).order_by(ModelRow.activated_at.desc())

    def _mine(self) -> Select[tuple[ModelRow]]:
        return select(ModelRow).where(ModelRow.station == self._station)

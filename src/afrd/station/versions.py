"""The models of a station: which there are, which judges, and who changed it."""

import logging
import shutil
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Engine, Select, select
from sqlalchemy.orm import Session

from afrd.errors import AfrdError, StationError
from afrd.fail_safe import OnLightFault
from afrd.files import is_temporary
from afrd.runtimes import SUFFIXES
from afrd.station.database import writing
from afrd.station.judge import (
    FARTHEST,
    Judge,
    Version,
    card_to_show,
    load_version,
    may_be_set,
    named_before,
    require_lights,
)
from afrd.station.tables import AuditRow, ModelRow, audited

_log = logging.getLogger("afrd.station")
FOLDER = "models"


class Versions:
    """root: data folder of the station; new models are put into `root/models`."""

    def __init__(self, engine: Engine, station: str, root: Path, on_light_fault: OnLightFault | None) -> None:
        self._engine, self._writing, self._station = engine, writing(engine), station
        self._on_light_fault = on_light_fault
        self._changing = threading.Lock()  # what judges and what is on record change together
        self.folder = root / FOLDER
        self.folder.mkdir(exist_ok=True)
        for left in filter(is_temporary, list(self.folder.iterdir())):  # of a training that was killed
            shutil.rmtree(left, ignore_errors=True)  # its process may still be ending
        self._drop_thresholds()

    def current(self, configured: Path) -> Version:
        """The one that was active when the station ended; a model of the station file that is new judges at once.

        Raises what `Inspector.load` raises; StationError: the active one was trained anew in its place.
        """
        version = self._as_recorded(load_version(configured.resolve(), None, self._on_light_fault), self.rows())
        if all(row.name != version.name for row in self.rows()):
            card, action = card_to_show(version.inspector.card), "activated model of the station file"
            self.put(version.path, version.name, card, "station", action, activate=True)
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
        version = self._as_recorded(
            load_version((self.folder / name).resolve(), None, self._on_light_fault), self.rows()
        )
        if any(row.name == version.name for row in self.rows()):
            raise StationError(f"model {name!r}: {version.name} was added before; it is the same training")
        return self.put(version.path, version.name, card_to_show(version.inspector.card), by)

    def put(
        self,
        path: Path,
        name: str,
        card: dict,
        by: str,
        action: str = "added model",
        *,
        snapshot: str | None = None,
        activate: bool = False,
    ) -> ModelRow:
        """One more version. snapshot: digest of its list of captures, where the station made it."""
        row = ModelRow(
            station=self._station,
            name=name,
            path=str(path.resolve()),
            added_at=time.time(),
            activated_at=None,
            card=card,
            shadow=False,
            snapshot=snapshot,
        )
        with Session(self._writing, expire_on_commit=False) as session:
            if activate:
                row.activated_at = self._later(session)
            session.add_all([row, self._audit(by, action, name, {})])
            session.commit()
        return row

    def row(self, number: int) -> ModelRow:
        """Raises StationError: no such version."""
        row = next((row for row in self.rows() if row.number == number), None)
        if row is None:
            raise StationError(f"model {number}: no such version")
        return row

    def shadow(self) -> Version | None:
        """The one that judges beside the active one; None where there is none, or it cannot be loaded any more."""
        row = next((row for row in self.rows() if row.shadow), None)
        try:
            return row and self._loaded(row)
        except AfrdError as error:
            _log.warning("model %s was in shadow: %s", row.name, error)
            return None

    def set_shadow(self, number: int | None, judge: Judge, by: str) -> Version | None:
        """Judge beside the active one from now on; None ends it. Raises StationError as `activate`, or it is active."""
        version = None
        with self._changing:
            if number is not None:
                version = self._loaded(self.row(number))
                require_lights(version, judge.version.inspector.lights.names)
                if version.name == judge.version.name:
                    raise StationError(f"model {version.name}: judges already")
            with Session(self._writing) as session:
                for row in session.scalars(self._mine()):
                    row.shadow = row.number == number
                action = "put in shadow" if version else "ended the shadow of"
                session.add(self._audit(by, action, version.name if version else "the model", {}))
                session.commit()
        return version

    def activate(self, number: int, judge: Judge, by: str) -> ModelRow:
        """Judge by this one from the next capture on. Raises StationError: no such model, or one for other lights."""
        with self._changing:
            row = self.row(number)
            version = self._loaded(row)
            require_lights(version, judge.version.inspector.lights.names)
            with Session(self._writing) as session:
                active = session.get_one(ModelRow, number)
                active.activated_at, active.shadow = self._later(session), False
                session.add(self._audit(by, "activated model", row.name, {"before": judge.version.name}))
                session.commit()
            judge.activate(version)  # once it is on record: after a restart the same one judges
            return row

    def set_threshold(self, threshold: float | None, judge: Judge, by: str, reason: str) -> None:
        """Of the active model; None goes back to its own. Raises StationError: too far from it."""
        with self._changing:
            version = judge.version
            own = version.inspector.threshold
            if threshold is not None and not may_be_set(threshold, own):
                raise StationError(
                    f"threshold {threshold:g}: expected a number from {own / FARTHEST:g} to {own * FARTHEST:g}; the "
                    f"model's own is {own:g}"
                )
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

    def _drop_thresholds(self) -> None:
        """Those on record that nobody could set any more; their models judge at their own again."""
        with Session(self._writing) as session:
            for row in session.scalars(self._mine().where(ModelRow.threshold.is_not(None))):
                if not may_be_set(row.threshold, row.card["threshold"]):
                    _log.warning("model %s: threshold %g, too far from its own, is dropped", row.name, row.threshold)
                    detail = {"to": None, "from": row.threshold, "because": "too far from the model's own"}
                    session.add(self._audit("station", "set threshold of", row.name, detail))
                    row.threshold = None
            session.commit()

    def _loaded(self, row: ModelRow) -> Version:
        version = self._as_recorded(load_version(Path(row.path), row.threshold, self._on_light_fault), [row])
        if version.name != row.name:
            raise StationError(
                f"model {row.name}: {row.path} holds another training now; add that one as a new version"
            )
        return version

    @staticmethod
    def _as_recorded(version: Version, rows: Sequence[ModelRow]) -> Version:
        """Under the name that an earlier afrd gave it."""
        names = [row.name for row in rows if named_before(version, row.name, row.card.get("threshold"))]
        return replace(version, name=names[0]) if names else version

    def _audit(self, by: str, action: str, subject: str, detail: dict) -> AuditRow:
        return audited(self._station, by, action, subject, detail)

    def _later(self, session: Session) -> float:
        """Now, or after the newest activation where the clock went back: the last one judges."""
        newest = session.scalar(self._active().limit(1).with_only_columns(ModelRow.activated_at))
        return time.time() if newest is None else max(time.time(), newest + 0.001)

    def _newest_active(self) -> ModelRow | None:
        with Session(self._engine, expire_on_commit=False) as session:
            return session.scalar(self._active().limit(1))

    def _active(self) -> Select[tuple[ModelRow]]:
        """Those that have judged, the one that judges now first."""
        return self._mine().where(ModelRow.activated_at.is_not(None)).order_by(ModelRow.activated_at.desc())

    def _mine(self) -> Select[tuple[ModelRow]]:
        return select(ModelRow).where(ModelRow.station == self._station)

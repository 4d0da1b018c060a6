"""New versions out of what people said of parts, and what a version says of all of them."""

import time
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, selectinload

from afrd.datasets import open_dataset, splits
from afrd.errors import StationError
from afrd.families import able_to, family_of
from afrd.station.config import StationConfig
from afrd.station.jobs import Jobs
from afrd.station.judge import Judge
from afrd.station.records import iso, not_to_learn_from
from afrd.station.snapshot import DEFECT, HELD_OUT, LEARNED, SNAPSHOT_FILE, read_snapshot, require_digest
from afrd.station.store import Store
from afrd.station.tables import CaptureRow, ModelRow, OpinionRow
from afrd.station.versions import Versions

LEAST = 3  # good parts to learn from


@dataclass(frozen=True)
class Lesson:
    """One row of a snapshot before its digest is known, as `afrd.station.snapshot` has it; digest: as on record."""

    id: str
    role: str
    lights: tuple[str, ...]
    files: tuple[str, ...]
    defect_type: str | None = None
    mask: str | None = None
    said_by: str | None = None
    taken_at: str | None = None
    digest: str | None = None

    def task(self) -> dict[str, Any]:
        """As JSON values, without what is not known."""
        return {name: value for name, value in asdict(self).items() if value is not None}


class Learning:
    """Starts jobs; their results become versions and opinions. Parts are learned from once a person reviewed them."""

    def __init__(self, engine: Engine, config: StationConfig, versions: Versions, store: Store, judge: Judge) -> None:
        self._engine, self._config, self._versions, self._store, self._judge = engine, config, versions, store, judge
        self.jobs = Jobs()

    def train(self, by: str) -> None:
        """A new version with the active one's settings, from the data set of the station file and all reviewed parts.

        Then it is asked about every reviewed part. Raises StationError: too few good parts, or another job runs.
        """
        card = self._judge.version.inspector.card
        lessons = [*self._data_set(), *self._reviewed()]
        learned = sum(lesson.role == LEARNED for lesson in lessons)
        if learned < LEAST:
            raise StationError(
                f"{learned} good parts to learn from; expected at least {LEAST}, and some 60 for good results: review "
                f"more, or name the first model's captures under training in the station file"
            )
        follows = card.imaging and (card.imaging.tiling or card.imaging.alignment)
        can_grow = card.fusion in able_to("grow") and not follows
        config = family_of(card.fusion).growing(card.config) if can_grow else card.config
        seen = card.imaging and card.imaging.model_dump(mode="json")  # a file of the region may not be there any more
        self._make("trained", {"work": "train", "config": config, "imaging": seen}, lessons, by)

    def further(self) -> list[Lesson]:
        """Parts that were stopped and then reviewed as good, and that the active version has not learned from.

        Raises StationError: what it learned from is not known any more.
        """
        known = {each["digest"] for each in self.snapshot(self._active())}
        stopped = self._parts(CaptureRow.label == "good", CaptureRow.verdict != "good")
        return [_lesson(part, True) for part in stopped if part.digest not in known and not not_to_learn_from(part)]

    def left_out(self) -> int:
        """How many reviewed parts are not learned from (`afrd.station.records.not_to_learn_from`)."""
        return sum(not_to_learn_from(part) is not None for part in self._parts(CaptureRow.label.is_not(None)))

    def growable(self) -> bool:
        """Whether the active version can take in further good parts."""
        version, fusion = self._judge.version, self._judge.version.inspector.card.fusion
        return fusion in able_to("grow") and family_of(fusion).can_grow(version.path)

    def grow(self, by: str) -> None:
        """A new version: the active one with the moments of `further` added. Then it is asked about reviewed parts.

        Raises StationError: there are none, it cannot grow, or another job runs.
        """
        version, lessons = self._judge.version, self.further()
        if not self.growable():
            raise StationError(
                f"model {version.name}: cannot take in further parts; train a new version once, that can"
            )
        if not lessons:
            raise StationError("no part was stopped and then reviewed as good since; there is nothing to add")
        task = {"work": "grow", "run": str(version.path.resolve()), "before": self.snapshot(self._active())}
        self._make("grown", task, lessons, by)

    def compare(self, number: int, by: str) -> None:
        """Ask a version about every reviewed part that it has not judged. Raises StationError: another job runs."""
        row = self._versions.row(number)
        task = self._question(Path(row.path), row.threshold, self._not_asked(row.name)) | {"name": row.name}

        def begins() -> None:
            self._versions.record(by, "asked about reviewed parts", row.name, {"parts": len(task["captures"])})

        self.jobs.start(f"asking {row.name}", task, by, self._hear_opinion, begins)

    def snapshot(self, row: ModelRow) -> list[dict[str, Any]]:
        """What a version learned from, where the station made it; else empty. Raises as `snapshot_file`."""
        path = self.snapshot_file(row)
        return read_snapshot(path) if path else []

    def snapshot_file(self, row: ModelRow) -> Path | None:
        """Where that list lies; None: the station did not make this version.

        Raises StationError: it is gone, or is not the one that was written with the version.
        """
        if row.snapshot is None:
            return None
        path = Path(row.path) / SNAPSHOT_FILE
        require_digest(path, row.snapshot)
        return path

    def _active(self) -> ModelRow:
        return next(row for row in self._versions.rows() if row.name == self._judge.version.name)

    def _make(self, how: str, task: dict[str, Any], lessons: Sequence[Lesson], by: str) -> None:
        """A job that leaves a version, asks it about reviewed parts and adds it. how: trained or grown."""
        name = f"{how}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
        card = self._judge.version.inspector.card
        task = task | {
            "root": str(self._config.data.resolve()),
            "out": str(self._versions.folder.resolve() / name),
            "captures": [lesson.task() for lesson in lessons],
            "lights": card.lights.model_dump(mode="json"),
            "category": card.category,
        }
        asked = self._parts(CaptureRow.label.is_not(None), CaptureRow.verdict.is_not(None))
        task["ask"] = self._question(self._versions.folder / name, None, asked)
        what = f"making {name}"

        def told(message: dict[str, Any]) -> None:
            if "made" in message:
                self._versions.put(self._versions.folder / name, **message["made"], by=by)
            else:
                self._hear_opinion(message)

        def begins() -> None:
            self._versions.record(by, "began", what, {"captures": len(task["captures"]), "left out": left_out})

        left_out = self.left_out()
        self.jobs.start(what, task, by, told, begins)

    def _question(self, model: Path, threshold: float | None, parts: Sequence[CaptureRow]) -> dict[str, Any]:
        """The task of asking a model about parts."""
        return {
            "work": "ask",
            "model": str(model.resolve()),
            "threshold": threshold,
            "on_light_fault": self._config.on_light_fault,
            "review": self._config.review,
            "root": str(self._config.data.resolve()),
            "captures": [
                {"id": part.id, "files": [f"{part.folder}/{name}" for name in part.files.values()]} for part in parts
            ],
        }

    def _hear_opinion(self, message: dict[str, Any]) -> None:
        self._store.add_opinion(**message["opinion"])

    def _data_set(self) -> list[Lesson]:
        """The good captures of the folder that the station file names under `training`."""
        folder = self._config.training
        if folder is None:
            return []
        lessons = []
        for split, role in (("train", LEARNED), ("val", HELD_OUT)):
            if split not in splits(folder):
                continue
            lights = self._judge.version.inspector.lights
            captures, wanted = open_dataset(folder, None, split).picked_for(lights), lights.names
            if captures.lights.names != wanted:
                raise StationError(
                    f"training: {folder} has the lights {', '.join(captures.lights.names)}; the station has "
                    f"{', '.join(wanted)}: name captures under all of these, or leave training out of the station file"
                )
            if captures.views:
                raise StationError(
                    f"training: {folder} has several views of a part, and a station judges each capture by itself, "
                    "and takes no model of several views: name captures without views, or those of one view in a "
                    "folder of their own, or leave training out of the station file"
                )
            lessons += [
                Lesson(f"{split}-{record.id}", role, wanted, tuple(str(path.resolve()) for path in record.images))
                for record in captures.records
                if not record.anomalous
            ]
        return lessons

    def _reviewed(self) -> list[Lesson]:
        """All reviewed parts. Of good ones one in five is held out where no data set sets the threshold."""
        data_set = self._config.training
        own = data_set is not None and "val" in splits(data_set)
        rows = self._parts(CaptureRow.label.is_not(None))
        return [_lesson(row, own) for row in rows if not not_to_learn_from(row)]

    def _not_asked(self, model: str) -> Sequence[CaptureRow]:
        asked = select(OpinionRow.capture).where(OpinionRow.model == model)
        judged_by_other = CaptureRow.model.is_distinct_from(model)
        judged = CaptureRow.verdict.is_not(None)
        return self._parts(CaptureRow.label.is_not(None), judged, judged_by_other, CaptureRow.number.not_in(asked))

    def _parts(self, *conditions: Any) -> Sequence[CaptureRow]:
        """With images, oldest first."""
        query = (
            select(CaptureRow)
            .where(CaptureRow.station == self._config.station, CaptureRow.folder.is_not(None), *conditions)
            .options(selectinload(CaptureRow.reviews))
            .order_by(CaptureRow.number)
        )
        with Session(self._engine, expire_on_commit=False) as session:
            return session.scalars(query).all()


def _lesson(row: CaptureRow, held_out_elsewhere: bool) -> Lesson:
    said = row.reviews[-1]
    role = DEFECT
    if row.label == "good":
        role = HELD_OUT if not held_out_elsewhere and zlib.crc32(row.id.encode()) % 5 == 0 else LEARNED
    return Lesson(
        row.id,
        role,
        tuple(row.files),
        tuple(f"{row.folder}/{name}" for name in row.files.values()),
        said.defect_type,
        f"{row.folder}/{said.mask}" if said.mask else None,
        said.by,
        iso(row.taken_at),
        row.digest,
    )

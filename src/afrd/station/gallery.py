"""The good parts that a part looks most like: of the first model's captures, and of those that people called good here.

Compared are small pictures, the mean over the lights, less their own mean brightness. Those of the training's captures
are made once, in the background, and kept with the station's data.
"""

import functools
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from afrd.datasets import open_dataset
from afrd.errors import AfrdError
from afrd.files import atomic_path
from afrd.station.pictures import THUMBNAIL_FILE, thumbnail
from afrd.station.tables import CaptureRow

_log = logging.getLogger("afrd.station")
FOLDER = "training"
_SIDE = 32
_NEWEST = 300  # parts called good that are compared with
_MOST = 500  # captures of the training


@dataclass(frozen=True)
class Alike:
    """id: of a part of this station, else None; name: shown; picture: its URL."""

    id: str | None
    name: str
    picture: str


class Gallery:
    """training: folder of the first model's captures, or None. root: the station's data folder."""

    def __init__(self, engine: Engine, station: str, root: Path, training: Path | None) -> None:
        self._engine, self._station, self._root, self._training = engine, station, root, training
        self._folder = root / FOLDER
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._make, name="gallery", daemon=True)

    def start(self) -> None:
        """Make what is missing."""
        if self._training is not None:
            self._thread.start()

    def stop(self) -> None:
        """After the picture at hand."""
        self._ending.set()

    def path(self, name: str) -> Path | None:
        """The small picture of a capture of the training; None where there is none of this name."""
        path = self._folder / name
        return path if Path(name).name == name and path.suffix == ".jpg" and path.is_file() else None

    def nearest(self, row: CaptureRow, url: Callable[[str], str], most: int = 4) -> list[Alike]:
        """Good parts, the most alike first. url: from the id of a part to that of its small picture."""
        own = self._root / (row.folder or "") / THUMBNAIL_FILE
        if row.folder is None or not own.is_file():
            return []
        found = [
            (self._root / folder / THUMBNAIL_FILE, Alike(id, id, url(id)))
            for id, folder in self._called_good()
            if id != row.id
        ]
        if self._folder.is_dir():
            pictures = sorted(self._folder.glob("[!.]*.jpg"))[:_MOST]
            found += [
                (path, Alike(None, f"{path.stem}, of the training", f"/training/{path.name}")) for path in pictures
            ]
        candidates = [(_look(path), alike) for path, alike in found if path.is_file()]
        mine = _look(own)
        return [alike for _, alike in sorted(candidates, key=lambda each: float(((each[0] - mine) ** 2).sum()))[:most]]

    def _called_good(self) -> Sequence[tuple[str, str]]:
        query = (
            select(CaptureRow.id, CaptureRow.folder)
            .where(CaptureRow.station == self._station, CaptureRow.label == "good", CaptureRow.folder.is_not(None))
            .order_by(CaptureRow.number.desc())
            .limit(_NEWEST)
        )
        with Session(self._engine) as session:
            return [tuple(row) for row in session.execute(query)]

    def _make(self) -> None:
        try:
            captures = open_dataset(self._training, None, "train")
            self._folder.mkdir(exist_ok=True)
            for number in range(min(len(captures), _MOST)):
                target = self._folder / f"{captures.records[number].id}.jpg"
                if self._ending.is_set():
                    return
                if not target.exists():
                    with atomic_path(target) as temporary:
                        temporary.write_bytes(thumbnail(captures[number].images))
        except (AfrdError, OSError) as error:
            _log.warning("pictures of the training: %s", error)


@functools.lru_cache(4096)
def _look(path: Path) -> np.ndarray:
    """[32, 32] float32. A small picture is never changed; one that is damaged is like none."""
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        return np.full((_SIDE, _SIDE), np.inf, np.float32)
    small = cv2.resize(picture, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    return small - small.mean()

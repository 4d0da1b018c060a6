"""A watched folder: captures that others write, never half-read."""

import contextlib
import logging
import shutil
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from watchfiles import watch

from afrd.datasets.images import SUFFIXES
from afrd.datasets.pattern import Pattern
from afrd.errors import StationError
from afrd.station.intake import ID
from afrd.station.refusals import Refused
from afrd.station.sources.config import FolderConfig

_log = logging.getLogger("afrd.station")
DONE, REFUSED = "done", "refused"
_CLEAN_SECONDS = 60.0
_LOOK_SECONDS = 1.0  # changes wake it at once; this often it looks without one


class WatchedFolder:
    """Raises DatasetError: a pattern that is none. StationError: one with several captures of a part."""

    trouble: str | None = None

    def __init__(self, config: FolderConfig, folder: Path, lights: Sequence[str]) -> None:
        self._config, self._folder, self._lights = config, folder, tuple(lights)
        for token in ("{view}", "{group}"):
            if token in config.pattern:
                raise StationError(
                    f'source {config.name}: pattern "{config.pattern}" has {token}; a station judges each capture by '
                    f'itself: tell captures apart by {{id}} alone, as in "{{id}}/{{light}}.*"'
                )
        self._pattern = Pattern(config.pattern, self._lights)
        self._in_one_folder = "{light}" not in config.pattern.rpartition("/")[0]
        self._seen: dict[Path, tuple[tuple[int, int], float]] = {}
        self._stuck: dict[str, str] = {}  # id → why
        self._strays = False
        self._cleans_at = 0.0

    def run(self, offer, ending: threading.Event) -> None:
        """See `Source`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._look(offer, ending)
        pause = max(1, int(1000 * min(_LOOK_SECONDS, self._config.settle_seconds or _LOOK_SECONDS)))
        for _ in watch(self._folder, stop_event=ending, rust_timeout=pause, yield_on_timeout=True, debounce=50):
            self._look(offer, ending)
            self._clean(ending)

    def _clean(self, ending: threading.Event) -> None:
        """Once in a while, what was dealt with long ago goes; a folder's time is that of the move into it."""
        if self._config.keep_days is None or time.monotonic() < self._cleans_at:
            return
        self._cleans_at = time.monotonic() + _CLEAN_SECONDS
        oldest = time.time() - self._config.keep_days * 86400
        for own in (self._folder / DONE, self._folder / REFUSED):
            for capture in list(own.iterdir()) if own.is_dir() else ():
                if ending.is_set():
                    return
                with contextlib.suppress(FileNotFoundError):  # somebody else removed it
                    if capture.is_dir() and capture.stat().st_mtime < oldest:
                        shutil.rmtree(capture, ignore_errors=True)

    def _look(self, offer, ending: threading.Event) -> None:
        now = time.monotonic()
        captures: dict[str, list[tuple[str, Path]]] = {}
        strays: list[Path] = []
        for path in self._files():
            if match := self._pattern.match(path.relative_to(self._folder).as_posix()):
                captures.setdefault(str(match[0]), []).append((match[1], path))
            elif path.suffix.lower() in SUFFIXES:
                strays.append(path)
        present = {path for found in captures.values() for _, path in found} | set(strays)
        self._seen = {path: seen for path, seen in self._seen.items() if path in present}
        for id, found in sorted(captures.items()):
            if ending.is_set():
                return
            try:
                self._see(offer, id, found, now)
                self._stuck.pop(id, None)
            except OSError as error:  # one that cannot be read or moved does not keep the others waiting
                if id not in self._stuck:
                    _log.error("source %s: %s: %s; fix its permissions", self._config.name, id, error)
                self._stuck[id] = str(error)
        self._stuck = {id: why for id, why in self._stuck.items() if id in captures}
        self._tell(strays, now)

    def _tell(self, strays: Sequence[Path], now: float) -> None:
        """What would lie there for ever without a word."""
        troubles = []
        for id, why in list(self._stuck.items())[:1]:
            troubles.append(
                f"{len(self._stuck)} capture(s) cannot be read or moved: {id}: {why}; fix the permissions or the disk"
            )
        if settled := [path for path in strays if self._settled(path, now)]:
            trouble = (
                f"{len(settled)} image(s) do not fit the pattern {self._config.pattern} and are not judged: "
                f"{settled[0].relative_to(self._folder).as_posix()}{', …' if settled[1:] else ''}; fix the pattern or "
                "their names, or remove them"
            )
            if not self._strays:
                _log.warning("source %s: %s", self._config.name, trouble)
            troubles.append(trouble)
        self._strays = bool(settled)
        self.trouble = "; ".join(troubles) or None

    def _settled(self, path: Path, now: float) -> bool:
        with contextlib.suppress(OSError):  # gone meanwhile
            return self._unchanged(path, now) >= self._config.settle_seconds
        return False

    def _see(self, offer, id: str, found: list[tuple[str, Path]], now: float) -> None:
        quiet = min(self._unchanged(path, now) for _, path in found)
        images = dict(found)
        if mixed := self._mixed(found):
            if quiet >= self._config.settle_seconds:
                self._refuse(id, found, mixed)
        elif set(images) >= set(self._lights):
            if quiet >= self._config.settle_seconds:
                self._take(offer, id, images)
        elif quiet >= self._config.incomplete_seconds:
            missing = ", ".join(light for light in self._lights if light not in images)
            self._refuse(id, found, f"incomplete for {quiet:.0f} s: no image of {missing}")

    def _mixed(self, found: list[tuple[str, Path]]) -> str | None:
        """Why the images may be of two parts that share their id."""
        lights = [light for light, _ in found]
        fix = "give each part an id of its own"
        if twice := sorted({light for light in lights if lights.count(light) > 1}):
            there = ", ".join(path.relative_to(self._folder).as_posix() for light, path in found if light == twice[0])
            return f"more than one image for light {twice[0]}: {there}; {fix}"
        folders = sorted({path.parent.relative_to(self._folder).as_posix() for _, path in found})
        if self._in_one_folder and len(folders) > 1:
            return f"images of one id in {len(folders)} folders: {', '.join(folders)}; {fix}"
        return None

    def _files(self) -> list[Path]:
        """All but what was dealt with and what is hidden."""
        own = {self._folder / DONE, self._folder / REFUSED}
        return [
            path
            for path in sorted(self._folder.rglob("*"))
            if path.is_file() and not own & set(path.parents) and not path.name.startswith(".")
        ]

    def _unchanged(self, path: Path, now: float) -> float:
        """For how many seconds size and time of writing have been the same."""
        state = path.stat()
        is_now = (state.st_size, state.st_mtime_ns)
        was, since = self._seen.get(path, (None, now))
        if was != is_now:
            since = now
        self._seen[path] = (is_now, since)
        return now - since

    def _take(self, offer, id: str, images: dict[str, Path]) -> None:
        try:
            if not ID.fullmatch(id):
                raise Refused(422, f"{id!r}: letters, digits, '.', '_' and '-' alone, the first a letter or digit")
            offer({light: images[light].read_bytes() for light in self._lights}, id, self._config.name)
        except Refused as error:
            self._refuse(id, list(images.items()), str(error))
        else:
            self._move(id, list(images.items()), DONE)

    def _refuse(self, id: str, found: list[tuple[str, Path]], reason: str) -> None:
        _log.warning("source %s: refused %s: %s", self._config.name, id, reason)
        target = self._move(id, found, REFUSED)
        (target / "reason.txt").write_text(reason + "\n", encoding="utf-8")

    def _move(self, id: str, found: list[tuple[str, Path]], where: str) -> Path:
        """Into a folder of its own; an earlier one of that id is kept under another name."""
        target = self._folder / where / id
        number = 1
        while target.exists():
            number += 1
            target = self._folder / where / f"{id}.{number}"
        target.mkdir(parents=True)
        alike = len({path.name for _, path in found}) < len(found)  # in a folder for each light, or one id twice
        try:
            for light, path in found:
                path.rename(_free(target, light, path.suffix) if alike else target / path.name)
        except OSError:
            with contextlib.suppress(OSError):
                target.rmdir()  # where nothing was moved
            raise
        for folder in {path.parent for _, path in found}:
            if folder != self._folder and id in folder.name and not any(folder.iterdir()):
                folder.rmdir()  # the capture's own
        return target


def _free(folder: Path, light: str, suffix: str) -> Path:
    """Where nothing is overwritten."""
    path, number = folder / f"{light}{suffix}", 1
    while path.exists():
        number += 1
        path = folder / f"{light}.{number}{suffix}"
    return path

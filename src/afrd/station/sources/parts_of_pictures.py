"""Pictures of a camera that an outside trigger drives, one after the other, put together into parts by their times."""

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Picture(NamedTuple):
    """pixels: [H, W] or [H, W, 3]. at: seconds, when it came. lost: whether one before it was lost."""

    pixels: np.ndarray
    at: float
    lost: bool = False


class Parts:
    """Collects the pictures of one part. since: when pictures began to be taken. gap: seconds; a longer pause begins
    another part.

    How long a picture lay in a buffer does not count: its time is that of its arrival. So whatever a slow line does,
    the pictures of two parts are never mixed, as long as parts come further apart than `gap`. After a lost picture, as
    at the start, all are thrown away until such a pause. Behind a part that a pause cut short, its missing picture may
    still come: the next part is taken only when a pause follows it, too.

    crowded: whether more pictures than one part has came without a pause. Then a picture that was lost without the
    driver's word mixes parts, and one that it told of stops them.
    """

    def __init__(self, lights: int, gap: float, since: float) -> None:
        self._lights, self._gap, self._last = lights, gap, since
        self._pictures: list[Picture] = []
        self._astray, self._doubtful = True, False
        self._run = 0  # pictures since the last pause
        self._away = 0  # of those, thrown away and not yet told
        self.crowded = False

    def add(self, picture: Picture) -> tuple[list[np.ndarray], int]:
        """A whole part's pictures, or none yet; and how many were thrown away since they made no whole part."""
        if self._lights == 1:
            return [picture.pixels], 0
        whole, away = self.pause(picture.at)
        self._last = picture.at
        self._run += 1
        self.crowded = self.crowded or self._run > self._lights
        if picture.lost or len(self._pictures) == self._lights:  # a doubtful part that no pause follows
            self._away += len(self._pictures)
            self._pictures, self._astray, self._doubtful = [], True, False
        if not self._astray:
            self._pictures.append(picture)
            if len(self._pictures) == self._lights and not self._doubtful:
                return self._take(), away
            return whole, away
        self._away += 1
        return whole, away + (self._tell() if self._away >= self._lights else 0)

    def pause(self, now: float) -> tuple[list[np.ndarray], int]:
        """As `add`: what it means that no picture has come until now. Nothing, unless that is a pause."""
        if now - self._last <= self._gap or self._lights == 1:
            return [], 0
        whole = self._take() if len(self._pictures) == self._lights else []
        if self._run:
            self.crowded = self._run > self._lights
            self._doubtful = bool(self._pictures)
        self._away += len(self._pictures)
        self._pictures, self._astray, self._run = [], False, 0
        return whole, self._tell()

    def _take(self) -> list[np.ndarray]:
        whole, self._pictures = [each.pixels for each in self._pictures], []
        return whole

    def _tell(self) -> int:
        away, self._away = self._away, 0
        return away


class Grabbing:
    """Takes pictures off a camera as they come, on a thread of its own, so that each has the time of its arrival.

    grab(): the next picture and whether one before it was lost, or None after a while. room: how many are kept; more
    are lost, and the next one kept says so.
    """

    def __init__(self, grab: Callable[[], tuple[np.ndarray, bool] | None], room: int) -> None:
        self._grab = grab
        self._kept: queue.Queue[Picture | BaseException] = queue.Queue(room)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name="grab", daemon=True)
        self._thread.start()

    def next(self, seconds: float) -> Picture | None:
        """Raises what `grab` raised."""
        try:
            found = self._kept.get(timeout=seconds)
        except queue.Empty:
            return None
        if isinstance(found, BaseException):
            raise found
        return found

    def stop(self) -> None:
        """No more pictures; the camera may be closed."""
        self._ending.set()
        self._thread.join()

    def _work(self) -> None:
        lost = False
        while not self._ending.is_set():
            try:
                found = self._grab()
            except BaseException as error:  # told to who waits, or nobody does any more
                while not self._ending.is_set():
                    with contextlib.suppress(queue.Full):
                        self._kept.put(error, timeout=0.1)
                        return
                return
            if found is None:
                continue
            try:
                self._kept.put_nowait(Picture(found[0], time.monotonic(), found[1] or lost))
                lost = False
            except queue.Full:
                lost = True

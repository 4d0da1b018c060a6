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
    """Collects the pictures of one part. A longer pause than `gap` seconds, or a lost picture, begins another part.

    How long a picture lay in a buffer does not count: its time is that of its arrival. So whatever a slow line does,
    the pictures of two parts are never mixed, as long as parts come further apart than `gap`.
    """

    def __init__(self, lights: int, gap: float) -> None:
        self._lights, self._gap = lights, gap
        self._pictures: list[Picture] = []

    def add(self, picture: Picture) -> tuple[list[np.ndarray], int]:
        """A whole part's pictures, or none yet; and how many were thrown away since they made no whole part."""
        away = 0
        if self._pictures and (picture.lost or picture.at - self._pictures[-1].at > self._gap):
            away = self.give_up()
        self._pictures.append(picture)
        if len(self._pictures) < self._lights:
            return [], away
        whole = [each.pixels for each in self._pictures]
        self._pictures = []
        return whole, away

    def overdue(self, now: float) -> bool:
        """Whether a part was begun and its next picture does not come."""
        return bool(self._pictures) and now - self._pictures[-1].at > self._gap

    def give_up(self) -> int:
        """Throws away what a part has so far. Returns how many pictures that were."""
        away, self._pictures = len(self._pictures), []
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

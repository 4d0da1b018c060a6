"""What is done with a part after its answer, while the line has nothing to judge.

A busy line looks at nothing here: of the parts that wait, the oldest are skipped, and counted. A part that comes during
a look is judged beside it, and has the processors nearly to itself: the thread that looks is of low priority (Linux).
"""

import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

_log = logging.getLogger("afrd.station")
WAITING = 4  # captures kept; memory is bounded by them
_LOOK_SECONDS = 0.05
_NICE = 10  # as training and other long tasks

Look = Callable[[np.ndarray, str], None]
"""(images, id) of a capture that was judged. May raise."""


class Idle:
    """busy: whether the line has parts to judge. tasks: done one after the other with every part."""

    def __init__(self, busy: Callable[[], bool], tasks: Sequence[Look]) -> None:
        self._busy, self._tasks = busy, tuple(tasks)
        self._waiting: deque[tuple[np.ndarray, str]] = deque()
        self._changed = threading.Condition()
        self._ending = False
        self._thread = threading.Thread(target=self._work, name="idle", daemon=True)
        self.skipped = 0

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """After the part at hand."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        self._thread.join()

    def offer(self, images: np.ndarray, id: str) -> None:
        """A part that was judged. Returns at once."""
        with self._changed:
            if len(self._waiting) == WAITING:
                self._waiting.popleft()
                self.skipped += 1
            self._waiting.append((images, id))
            self._changed.notify()

    def _work(self) -> None:
        if sys.platform == "linux":  # where each thread has a priority of its own, and those that it starts inherit it
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ending)
                if self._ending:
                    return
                if self._busy():
                    self._changed.wait(_LOOK_SECONDS)
                    continue
                part = self._waiting.popleft()
            for look in self._tasks:
                try:
                    look(*part)
                except Exception:  # the line goes on
                    _log.exception("capture %s: could not be looked at again", part[1])
            del part  # its pictures are not held while waiting for the next

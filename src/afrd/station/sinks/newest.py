"""Sinks that show the newest answers, in a thread each: a slow one delays nothing and misses only old answers."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

_log = logging.getLogger("afrd.station")
_PAUSE = 2.0


class Show(Protocol):
    """What such a sink can do; each method may raise."""

    def begin(self) -> None:
        """Before the first answer; again after a while where it raised."""

    def show(self, answer: dict[str, Any]) -> None:
        """One answer; those before it were shown, or there were too many."""

    def close(self) -> None:
        """Nobody judges any more."""


class Newest:
    """Calls `show` with every answer in order; of more than `keep` that wait, with the newest."""

    def __init__(self, name: str, sink: Show, keep: int = 1) -> None:
        self.name, self._sink = name, sink
        self._changed = threading.Condition()
        self._answers: deque[dict[str, Any]] = deque(maxlen=keep)
        self._ending = False
        self._thread = threading.Thread(target=self._work, name=f"sink {name}", daemon=True)
        self.trouble: str | None = None

    def start(self) -> None:
        """Show from now on."""
        self._thread.start()

    def put(self, answer: dict[str, Any]) -> None:
        """Returns at once."""
        with self._changed:
            self._answers.append(answer)
            self._changed.notify()

    def stop(self) -> None:
        """After the answer at hand."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        self._thread.join(timeout=10)

    def _work(self) -> None:
        while not self._try(self._sink.begin):
            with self._changed:
                if self._changed.wait_for(lambda: self._ending, _PAUSE):
                    return
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._answers or self._ending)
                answer = self._answers.popleft() if self._answers else None
            if answer is None:
                break
            self._try(self._sink.show, answer)
        self._try(self._sink.close)

    def _try(self, call: Callable[..., None], *arguments: Any) -> bool:
        try:
            call(*arguments)
        except Exception as error:  # the line goes on without it
            if self.trouble is None:
                _log.warning("sink %s: %s", self.name, error)
            self.trouble = str(error) or type(error).__name__
            return False
        self.trouble = None
        return True

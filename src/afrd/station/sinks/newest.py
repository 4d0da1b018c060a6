"""Sinks that show the newest answer alone, in a thread each: a slow one delays nothing and misses only old answers."""

import logging
import threading
from collections.abc import Callable
from typing import Any, Protocol

_log = logging.getLogger("afrd.station")
_PAUSE = 2.0


class Show(Protocol):
    """What such a sink can do; each method may raise."""

    def begin(self) -> None:
        """Before the first answer; again after a while where it raised."""

    def show(self, answer: dict[str, Any]) -> None:
        """The newest answer, and only that."""

    def close(self) -> None:
        """Nobody judges any more."""


class Newest:
    """Calls `show` with the newest answer there is."""

    def __init__(self, name: str, sink: Show) -> None:
        self.name, self._sink = name, sink
        self._changed = threading.Condition()
        self._answer: dict[str, Any] | None = None
        self._ending = False
        self._thread = threading.Thread(target=self._work, name=f"sink {name}", daemon=True)
        self.trouble: str | None = None

    def start(self) -> None:
        """Show from now on."""
        self._thread.start()

    def put(self, answer: dict[str, Any]) -> None:
        """Returns at once."""
        with self._changed:
            self._answer = answer
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
                self._changed.wait_for(lambda: self._answer is not None or self._ending)
                answer, self._answer = self._answer, None
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

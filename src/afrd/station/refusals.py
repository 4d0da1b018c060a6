"""What a client is answered instead of a verdict; and the newest refusals, for the log and the pages."""

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from afrd.datasets.problems import printable
from afrd.errors import AfrdError

_log = logging.getLogger("afrd.station")


class Refused(AfrdError):
    """status: of HTTP. problems: what is wrong with which light or field. retry_after: seconds."""

    def __init__(
        self, status: int, message: str, problems: tuple[tuple[str, str], ...] = (), retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.problems, self.retry_after = status, problems, retry_after

    def detail(self) -> Any:
        """The body of the answer, in the form that FastAPI gives its own validation errors."""
        if not self.problems:
            return str(self)
        return [{"loc": ["body", field], "msg": message, "type": "capture"} for field, message in self.problems]


def wrong(field: str, message: str) -> Refused:
    """422 about one light or field."""
    return refuse_all([(field, message)])


def refuse_all(problems: list[tuple[str, str]]) -> Refused:
    """422 about several lights or fields. Names are shown shortened, whatever a client put into them."""
    shown = tuple((printable(field)[:64], printable(message)) for field, message in problems)
    return Refused(422, "; ".join(f"{field}: {message}" for field, message in shown), shown)


@dataclass(frozen=True)
class Refusal:
    """One line of the log. at: seconds since 1970. capture: it was of a part, not of a page."""

    at: float
    source: str
    status: int
    message: str
    capture: bool


class Refusals:
    """The newest of them in memory, a line each in the log; a flood fills neither."""

    def __init__(self, kept: int = 50, lines_per_second: float = 5) -> None:
        self.newest: deque[Refusal] = deque(maxlen=kept)
        self.count = 0
        self._lines = Rate(lines_per_second)
        self._lock = threading.Lock()

    def add(self, source: str, error: Refused, capture: bool = True) -> None:
        """One more. capture: see `Refusal`."""
        with self._lock:
            self.count += 1
            self.newest.appendleft(Refusal(time.time(), source, error.status, str(error)[:500], capture))
        if self._lines.take():
            _log.warning("refused (%d) from %s: %s", error.status, source, str(error)[:500])


class Rate:
    """A bucket of tokens: `per_second` on the long run, twice that in a burst."""

    def __init__(self, per_second: float) -> None:
        self._per_second, self._most = per_second, max(2 * per_second, 1)
        self._tokens, self._at = self._most, time.monotonic()
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Whether one more is within the rate."""
        with self._lock:
            now = time.monotonic()
            self._tokens = min(self._most, self._tokens + (now - self._at) * self._per_second)
            self._at = now
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True

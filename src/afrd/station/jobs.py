"""Long work beside the line, one piece at a time, in a process of its own at low priority.

The process (`afrd.station.work`) is given its task as JSON and prints JSON objects, one a line: {"done", "total",
"phase"} for the progress bar, {"note"} for people, {"error"} where it ends without a result, others for who started it.
"""

import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from afrd.errors import StationError

_log = logging.getLogger("afrd.station")


@dataclass
class Job:
    """what: in words. by: who started it. done, total: steps of the phase. error: why it ended without a result."""

    what: str
    by: str
    started_at: float
    phase: str = "starting"
    done: int = 0
    total: int = 0
    error: str | None = None
    running: bool = True
    notes: list[str] = field(default_factory=list)


class Jobs:
    """Of one station."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._thread: threading.Thread | None = None
        self.newest: Job | None = None
        """The one that runs, or ran last."""

    def start(
        self,
        what: str,
        task: Mapping[str, Any],
        by: str,
        told: Callable[[dict[str, Any]], None] = lambda _: None,
        begins: Callable[[], None] = lambda: None,
    ) -> Job:
        """told: with every message that is not the bar's. begins: puts it on record; where it raises, nothing begins.

        Raises StationError: another one runs.
        """
        with self._lock:
            if self.newest is not None and self.newest.running:
                raise StationError(f"{self.newest.what} runs; wait until it has ended")
            begins()
            self.newest = job = Job(what, by, time.time())
            self._process = process = subprocess.Popen(
                [sys.executable, "-m", "afrd.station.work"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        self._thread = threading.Thread(
            target=self._follow, args=(job, process, json.dumps(task), told), name="job", daemon=True
        )
        self._thread.start()
        return job

    def stop(self) -> None:
        """What is not finished is given up."""
        if self._process is not None:
            self._process.terminate()
        if self._thread is not None:
            self._thread.join(timeout=30)

    def _follow(self, job: Job, process: subprocess.Popen[str], task: str, told) -> None:
        try:
            with process.stdin:
                process.stdin.write(task)
            for line in process.stdout:
                self._hear(job, json.loads(line), told)
            if process.wait() and job.error is None:
                job.error = "it ended without a result; the station's log says why"
        except Exception as error:  # whatever it printed or left, the line goes on
            _log.exception("%s", job.what)
            process.kill()
            job.error = job.error or str(error) or type(error).__name__
        finally:
            job.running = False
        if job.error is not None:
            _log.warning("%s: %s", job.what, job.error)

    @staticmethod
    def _hear(job: Job, message: dict[str, Any], told) -> None:
        if "total" in message:
            job.phase, job.done, job.total = message["phase"], message["done"], message["total"]
        elif "note" in message:
            job.notes.append(message["note"])
        elif "error" in message:
            job.error = message["error"]
        else:
            told(message)

"""Where jobs run: processes of this machine, or a Ray cluster. Both say which job ended, and survive dead workers."""

import os
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, Protocol

from afrd.errors import MissingExtraError, RunError


class Pool(Protocol):
    """slots: how many jobs it runs at once."""

    slots: int

    def submit(self, function: Callable, *arguments: Any) -> Any:
        """Start a job; returns a handle."""

    def wait(self, handles: list[Any]) -> tuple[Any, str | None]:
        """The handle of a job that ended, and what it returned; None where its worker died."""

    def close(self) -> None:
        """Stop at once."""


class Processes:
    """One process a slot, started afresh where it died. threads: of each."""

    def __init__(self, slots: int, threads: int) -> None:
        self.slots, self._threads = slots, threads
        self._idle = [self._process() for _ in range(slots)]
        self._busy: dict[Future, ProcessPoolExecutor] = {}

    def _process(self) -> ProcessPoolExecutor:
        os.environ["OMP_NUM_THREADS"] = str(self._threads)  # read when the process starts
        return ProcessPoolExecutor(1, get_context("spawn"), _end_with, (os.getpid(),))

    def submit(self, function: Callable, *arguments: Any) -> Future:
        process = self._idle.pop()
        future = process.submit(function, *arguments)
        self._busy[future] = process
        return future

    def wait(self, handles: list[Future]) -> tuple[Future, str | None]:
        future = next(iter(wait(handles, return_when=FIRST_COMPLETED).done))
        process = self._busy.pop(future)
        try:
            answer = future.result()
        except BrokenProcessPool:
            process.shutdown(wait=False)
            process, answer = self._process(), None
        self._idle.append(process)
        return future, answer

    def close(self) -> None:
        for pool in [*self._idle, *self._busy.values()]:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list((pool._processes or {}).values()):
                process.kill()


def _end_with(parent: int) -> None:
    """A worker must not outlive the runner: a killed one cannot say so."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class Ray:
    """Tasks of a Ray cluster; the data set and the comparison's folder must be the same paths on every machine.

    address: "local" starts one here with `slots` workers; otherwise that of a running cluster (host:port, or "auto"),
        whose size counts.
    Raises MissingExtraError; RunError: no cluster there.
    """

    def __init__(self, address: str, slots: int, threads: int) -> None:
        try:
            import ray
        except ImportError as error:
            raise MissingExtraError("ray", "cluster") from error
        if address not in ("local", "auto"):
            _require_listener(address)
        options = {"num_cpus": slots * threads, "include_dashboard": False} if address == "local" else {}
        try:
            ray.init(
                address,
                log_to_driver=False,
                configure_logging=False,
                runtime_env={"env_vars": {"OMP_NUM_THREADS": str(threads)}},
                **options,
            )
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise RunError(f"--ray {address}: {error}; name a running cluster's address, or local") from error
        self._ray = ray
        self._lost = (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError, ray.exceptions.OutOfMemoryError)
        self._resources = {"num_cpus": threads, "max_retries": 0}  # lost jobs are counted by the runner
        self.slots = max(1, int(ray.cluster_resources().get("CPU", 1)) // threads)

    def submit(self, function: Callable, *arguments: Any) -> Any:
        return self._ray.remote(**self._resources)(function).remote(*arguments)

    def wait(self, handles: list[Any]) -> tuple[Any, str | None]:
        (handle,), _ = self._ray.wait(handles, num_returns=1)
        try:
            return handle, self._ray.get(handle)
        except self._lost:
            return handle, None

    def close(self) -> None:
        self._ray.shutdown()


def _require_listener(address: str) -> None:
    """Ray itself tries for minutes. Raises RunError."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, ValueError) as error:
        raise RunError(f"--ray {address}: {error}; name a running cluster's address as host:port, or local") from error

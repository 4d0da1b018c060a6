"""Where jobs run: processes of this machine, or a Ray cluster. Both say which job ended, and survive dead workers."""

import os
import socket
import warnings
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, NamedTuple, Protocol

from afrd.console import end_with_parent, show_warning
from afrd.errors import MissingExtraError, RunError


class Ended(NamedTuple):
    """A job that ended. status: what it returned; None where its worker died. reason: why it could not run at all."""

    handle: Any
    status: str | None
    reason: str | None = None


class Pool(Protocol):
    """slots: how many jobs it runs at once."""

    slots: int

    def submit(self, function: Callable, *arguments: Any) -> Any:
        """Start a job; returns a handle."""

    def wait(self, handles: list[Any]) -> Ended:
        """The next job that ends."""

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
        return ProcessPoolExecutor(1, get_context("spawn"), _set_up)

    def submit(self, function: Callable, *arguments: Any) -> Future:
        process = self._idle.pop()
        try:
            future = process.submit(function, *arguments)
        except BrokenProcessPool:  # it died while it was idle
            process = self._process()
            future = process.submit(function, *arguments)
        self._busy[future] = process
        return future

    def wait(self, handles: list[Future]) -> Ended:
        future = next(iter(wait(handles, return_when=FIRST_COMPLETED).done))
        process = self._busy.pop(future)
        error = future.exception()
        if isinstance(error, BrokenProcessPool):
            process.shutdown(wait=False)
            process = self._process()
        self._idle.append(process)
        if error is None:
            return Ended(future, future.result())
        return Ended(future, None) if isinstance(error, BrokenProcessPool) else Ended(future, "failed", repr(error))

    def close(self) -> None:
        for pool in [*self._idle, *self._busy.values()]:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list((pool._processes or {}).values()):
                process.kill()


def _set_up() -> None:
    """A worker warns as the command line does, and ends with it."""
    warnings.showwarning = show_warning
    end_with_parent()


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
        self._ray, self._remote = ray, {}
        self._lost = (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError, ray.exceptions.OutOfMemoryError)
        self._resources = {"num_cpus": threads, "max_retries": 0}  # lost jobs are counted by the runner
        self.slots = sum(int(node["Resources"].get("CPU", 0)) // threads for node in ray.nodes() if node["Alive"])
        if not self.slots:
            raise RunError(f"--ray {address}: no machine has {threads} processors; lower --threads")

    def submit(self, function: Callable, *arguments: Any) -> Any:
        remote = self._remote.setdefault(function, self._ray.remote(**self._resources)(function))
        return remote.remote(*arguments)

    def wait(self, handles: list[Any]) -> Ended:
        (handle,), _ = self._ray.wait(handles, num_returns=1)
        try:
            return Ended(handle, self._ray.get(handle))
        except self._lost:
            return Ended(handle, None)
        except self._ray.exceptions.RayError as error:  # of the machine: afrd is not installed there, another folder
            return Ended(handle, "failed", str(error).strip().splitlines()[-1])

    def close(self) -> None:
        self._ray.shutdown()


def _require_listener(address: str) -> None:
    """Ray itself tries for minutes. Raises RunError."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, ValueError) as error:
        raise RunError(f"--ray {address}: {error}; name a running cluster's address as host:port, or local") from error

"""What every process of a command does: how it warns, keeps its memory, and ends with the command that started it."""

import ctypes
import multiprocessing
import os
import sys
import threading
from multiprocessing.connection import wait


def show_warning(message: Warning | str, *_: object) -> None:
    """For `warnings.showwarning`: what is wrong, without the place in the code."""
    print(f"afrd: warning: {message}", file=sys.stderr, flush=True)


_TURNS = 10_000  # of a loop, tens of microseconds; libgomp takes 300,000
_MALLOC = {-1: 2**30, -3: 2**30}  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of glibc's mallopt(3), bytes


def prepare_process() -> None:
    """For commands and services, before torch and NumPy are loaded: `keep_memory` and `rest_threads`."""
    keep_memory()
    rest_threads()


def rest_threads() -> None:
    """Threads soon sleep while they wait for each other: those of GNU's OpenMP, as torch has it on Linux. OpenBLAS, of
    NumPy and SciPy, gets one thread: it has no such setting, and what is left to it is small.

    Else each turns for milliseconds beforehand, and where another program wants one of the processors, all wait for the
    thread that it has put aside, over and over (`docs/speed.md`). Once loaded they do not listen any more. What the
    environment says (OMP_WAIT_POLICY, GOMP_SPINCOUNT, OPENBLAS_NUM_THREADS) stands.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", str(_TURNS))
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def keep_memory() -> None:
    """Up to 1 GB that is freed stays with this process; a no-op where the C library is not glibc.

    Else the feature maps of every capture are given back to the kernel, which clears the same pages for the next one: a
    quarter of an inspection's time, and up to half of a fit's. A library leaves the setting to its host. What the
    environment says (MALLOC_TRIM_THRESHOLD_, MALLOC_MMAP_THRESHOLD_) stands.
    """
    if sys.platform != "linux" or any(name.startswith("MALLOC_") for name in os.environ):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        for parameter, value in _MALLOC.items():
            mallopt(parameter, value)


def end_with_parent() -> None:
    """For a worker of `multiprocessing`: a killed parent cannot stop it, and it would write beside the next command."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()

"""What every figure here is taken with: contenders in turn, memory in processes of their own, the peak beside it.

Two cores drift by a tenth within minutes. So contenders are timed in turn, one call each a round, and compared by the
median of the ratios within rounds; what the machine reaches in a matrix product is measured before and after.

Memory is the largest resident set (VmHWM) of a fresh process that loads one contender and calls it twice: interpreter,
libraries, weights and activations. `libraries` is the same without a contender.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

Call = Callable[[], object]

_PACKAGES = ("torch", "timm", "openvino", "onnxruntime", "nncf", "anomalib", "numpy")


def arguments(description: str | None) -> argparse.ArgumentParser:
    """--quick, and --alone, which `peak_memory` calls a module with."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="tiny sizes, once: whether it runs, not how fast")
    parser.add_argument("--artefacts", type=Path, help="exported models are kept here and taken from here")
    parser.add_argument("--alone", nargs="+", help=argparse.SUPPRESS)
    return parser


@contextmanager
def artefact_folder(chosen: Path | None) -> Iterator[Path]:
    """The one of --artefacts, or one that goes."""
    if chosen:
        yield chosen
        return
    with TemporaryDirectory() as folder:
        yield Path(folder)


def seconds(call: Call) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def in_turn(calls: Mapping[str, Call], rounds: int) -> dict[str, list[float]]:
    """Seconds of each call in each round, after a round that does not count."""
    for call in calls.values():
        call()
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            taken[name].append(seconds(call))
    return taken


def spread(values: list[float]) -> dict[str, float | int]:
    """p50 is the median."""
    p50, p95 = np.percentile(values, (50, 95))
    return {"p50": float(p50), "p95": float(p95), "min": min(values), "max": max(values), "repeats": len(values)}


def ratio(mine: list[float], other: list[float]) -> float:
    """Median over the rounds of mine ÷ other."""
    return float(np.median(np.divide(mine, other)))


def matrix_peak(size: int = 2048, repeats: int = 12) -> float:
    """GFLOP/s, the best of some single-precision products of size²."""
    import torch

    a = torch.rand(size, size)
    a @ a
    return 2 * size**3 / min(seconds(lambda: a @ a) for _ in range(repeats)) / 1e9


def report(measured: Callable[[], dict], quick: bool) -> None:
    """Prints what was measured as JSON, with where and with what."""
    import torch

    before = matrix_peak(256 if quick else 2048)
    started = time.perf_counter()
    found = measured()
    taken = time.perf_counter() - started
    head = {
        "threads": torch.get_num_threads(),
        "processor": processor(),
        "versions": {"python": platform.python_version(), **_versions()},
        "quick": quick,
        "took_seconds": taken,
        "matrix_peak_gflops": {"before": before, "after": matrix_peak(256 if quick else 2048)},
    }
    print(json.dumps(head | found, indent=1))


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # it takes part in no figure then
            continue
    return found


def processor() -> str:
    """As the kernel names it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def has_bf16() -> bool:
    """Whether the processor multiplies in bfloat16."""
    return any(flag in Path("/proc/cpuinfo").read_text() for flag in ("avx512_bf16", "amx_bf16"))


def resident_mb() -> float:
    """The largest resident set of this process so far, MB of 1e6 bytes.

    Not ru_maxrss, which counts what the process was before it became this program.
    """
    return _status("VmHWM")


def anonymous_mb() -> float:
    """What this process has allocated and touched now, without mapped files; MB."""
    return _status("RssAnon")


def _status(name: str) -> float:
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024 / 1e6


def alone(make: Callable[[], Call] | None) -> None:
    """In a process of its own: prints the memory that a contender takes; without one, that of the imports."""
    if make:
        call = make()
        call()
        call()
    print(json.dumps({"peak_memory_mb": resident_mb()}))


def peak_memory(module: str, *arguments: str, quick: bool = False) -> float:
    """MB, of `python -m module --alone arguments`, whose last line is JSON with `peak_memory_mb`."""
    return child(["-m", module, *(["--quick"] if quick else []), "--alone", *arguments])["peak_memory_mb"]


def child(arguments: list[str]) -> dict:
    """What a fresh Python prints as its last line, JSON. Its errors are shown, and raised."""
    done = subprocess.run([sys.executable, *arguments], stdout=subprocess.PIPE, text=True, check=True, env=os.environ)
    return json.loads(done.stdout.splitlines()[-1])


def progress(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)

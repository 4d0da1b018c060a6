"""Time on a CUDA device, and what the card itself reaches: the limit that figures are held against."""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

SIDE = 8192  # of the matrices whose product is the card's arithmetic limit
COPY = 2**30  # values, of 4 bytes each, whose copy is its memory's


def arguments(description: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder of runs, for the sections after `learning`")
    parser.add_argument("--data", type=Path, help="captures of one category in the folder layout")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, once: whether it runs, not how fast")
    return parser


def report(found: dict) -> None:
    print(json.dumps(found, indent=1))


def wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def seconds(call: Callable[[], object], device: str, repeats: int = 30, warm: int = 5) -> dict[str, float | int]:
    """Each call by itself, until the device has answered. p50 is the median."""
    for _ in range(warm):
        call()
    taken = []
    for _ in range(repeats):
        wait(device)
        started = time.perf_counter()
        call()
        wait(device)
        taken.append(time.perf_counter() - started)
    p50, p95 = np.percentile(taken, (50, 95))
    return {"p50": float(p50), "p95": float(p95), "repeats": repeats}


def product_tflops(device: str, dtype: torch.dtype, tf32: bool = False, side: int = SIDE) -> float:
    """The best of ten products of side² matrices."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    best = min(seconds(lambda: a @ b, device, repeats=1, warm=2)["p50"] for _ in range(10))
    torch.set_float32_matmul_precision(before)
    return 2 * side**3 / best / 1e12


def copy_gb_per_second(device: str, values: int = COPY) -> float:
    """Bytes read and written by a copy within the device's memory."""
    a = torch.empty(values, device=device)
    b = torch.empty_like(a)
    return 2 * 4 * values / seconds(lambda: b.copy_(a), device, repeats=10)["p50"] / 1e9


def limits(device: str, quick: bool = False) -> dict[str, float]:
    side, values = (256, 2**16) if quick else (SIDE, COPY)
    return {
        "float32_tflops": product_tflops(device, torch.float32, side=side),
        "tf32_tflops": product_tflops(device, torch.float32, tf32=True, side=side),
        "bfloat16_tflops": product_tflops(device, torch.bfloat16, side=side),
        "copy_gb_per_second": copy_gb_per_second(device, values),
    }


def apart(mine: np.ndarray, other: np.ndarray) -> float:
    """The largest difference, relative to the largest value of the other."""
    return float(np.abs(np.asarray(mine) - np.asarray(other)).max() / np.abs(other).max())

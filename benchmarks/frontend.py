"""What lies between the camera's files and the model: time of each step, peak memory, and how both grow.

    python benchmarks/frontend.py [--megapixels 3 6 12] [--lights 6] [--out benchmarks/results/frontend.json]

A capture of so many megapixels (textured noise, PNG) is read and inspected in tiles of 256 px by a joint model that was
fitted to a few small captures: its answers mean nothing, its time is that of any. Every size is a process of its own,
on one thread. Times are of the processor, so that a busy machine does not count. The model's time is that of one tile
alone, taken again and again while a capture is inspected, so that both see the same machine; these runs are not in the
inspection's time. Memory is the process's own peak (VmHWM); `idle` is there before the first capture is read.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import cv2
import numpy as np
import torch

from afrd.capture import LightRig
from afrd.datasets import CaptureSet, open_dataset
from afrd.datasets.capture_set import Record
from afrd.imaging import Imaging, ImagingOptions, Pixels
from afrd.imaging.resizing import resize
from afrd.imaging.tiles import tiles_of
from afrd.inspector import Inspector
from afrd.rig import measure_rig
from afrd.runtimes import open_runtime
from afrd.training import TrainConfig, train

TILE = 256
ALONE = 21  # times that one tile is run by itself during an inspection, at most


def textured(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """[H, W, 3] uint8: texture of several scales, and a camera's noise."""
    total = np.full((*size, 3), 110, np.float32)
    for step in (64, 16, 4):
        coarse = rng.normal(0, 12, (size[0] // step + 2, size[1] // step + 2, 3)).astype(np.float32)
        total += cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)
    cv2.randn(noise := np.empty_like(total), 0, 2)
    return (total + noise).clip(0, 255).astype(np.uint8)


def written(folder: Path, size: tuple[int, int], lights: int, seed: int) -> tuple[Path, ...]:
    rng, paths = np.random.default_rng(seed), []
    folder.mkdir(parents=True)
    base = textured(rng, size)
    for k in range(lights):
        paths.append(folder / f"light{k}.png")
        cv2.imwrite(str(paths[-1]), cv2.convertScaleAbs(base, alpha=0.7 + 0.1 * k, beta=0))
    return tuple(paths)


def clocked(call, *arguments):
    """(its result, seconds of the processor)."""
    started = time.process_time()
    result = call(*arguments)
    return result, time.process_time() - started


def memory(of: str) -> float:
    """GB of this program alone: VmRSS, or VmHWM, its peak; `ru_maxrss` holds that of the program that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e9 for line in lines if line.startswith(f"{of}:"))


class Interleaved:
    """A runtime that runs one tile by itself between the others. alone: its times; spent: on it, all in seconds."""

    def __init__(self, runtime, tile: np.ndarray, every: int) -> None:
        self.runtime, self.tile, self.every = runtime, tile, every
        self.alone: list[float] = []
        self.spent, self.calls = 0.0, 0

    def __getattr__(self, name: str):
        return getattr(self.runtime, name)

    def run(self, images: np.ndarray, left_out=()):
        if self.calls % self.every == 0:
            _, seconds = clocked(self.runtime.run, self.tile)
            self.alone.append(seconds)
            self.spent += seconds
        self.calls += 1
        return self.runtime.run(images, left_out)


def one_size(run: Path, megapixels: float, lights: int) -> dict[str, float]:
    """All steps of one capture, in this process."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    size = height, round(height * 4 / 3)
    runtime = open_runtime(run)
    imaging = Imaging(pixels=Pixels(bits=8), tiling=tiles_of(size, TILE, None))
    runtime.card = runtime.card.model_copy(update={"imaging": imaging})
    rig = LightRig(tuple(f"light{k}" for k in range(lights)))
    with tempfile.TemporaryDirectory() as folder:
        # written by another process, so that it does not count in this one's peak
        written_by = [sys.executable, __file__, "--write", folder, "--lights", str(lights), "--size", *map(str, size)]
        subprocess.run(written_by, check=True)
        files = tuple(Path(folder) / "a" / f"light{k}.png" for k in range(lights))
        captures = CaptureSet(Path(folder), None, None, rig, [Record("a", files)]).read_as(imaging)
        idle = memory("VmRSS")
        capture, decoding = clocked(captures.__getitem__, 0)
        tile = imaging.cut(capture.images)[imaging.tiles // 2][None]
        runtime.run(tile)
        interleaved = Interleaved(runtime, tile, -(-imaging.tiles // ALONE))
        inspection, inspecting = clocked(Inspector(interleaved).inspect_capture, capture)
        inspecting, model = inspecting - interleaved.spent, float(np.median(interleaved.alone))
        peak = memory("VmHWM")
    _, light_check = clocked(runtime.card.light_reference.check, capture.images)
    _, rig_check = clocked(measure_rig, capture.images)
    _, resizing = clocked(resize, capture.images, (TILE, TILE))
    _, full_map = clocked(lambda: inspection.anomaly_map)
    tiles, whole = imaging.tiles, decoding + inspecting
    return {
        "megapixels": round(size[0] * size[1] / 1e6, 2),
        "tiles": tiles,
        "decoding, s": decoding,
        "inspection, s": inspecting,
        "model of one tile, s": model,
        "whole over tiles x model": whole / (tiles * model),
        "light check, s": light_check,
        "rig measurement, s": rig_check,
        "resizing to one square, s": resizing,
        "light check and resizing, s": light_check + resizing,
        "map at full size, s": full_map,
        "peak memory, GB": peak,
        "idle, GB": idle,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megapixels", type=float, nargs="+", default=[3, 6, 12])
    parser.add_argument("--lights", type=int, default=6)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/frontend.json"))
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.write:
        written(arguments.write / "a", tuple(arguments.size), arguments.lights, 0)
        return
    if arguments.run:
        print(json.dumps(one_size(arguments.run, arguments.megapixels[0], arguments.lights)))
        return
    with tempfile.TemporaryDirectory() as folder:
        data, run = Path(folder) / "data", Path(folder) / "run"
        for split, count in (("train", 4), ("val", 2)):
            for k in range(count):
                written(data / split / "good" / str(k), (TILE, TILE), arguments.lights, 10 * count + k)
        painting = {"painting": {"pairs": 4}, "disturbing": {"captures": 2, "copies": 0}}
        config = TrainConfig(fusion="joint", imaging=ImagingOptions(bits=8), **painting)
        train(open_dataset(data, split="train"), run, config, holdout=open_dataset(data, split="val"))
        rows = []
        for megapixels in arguments.megapixels:
            command = [sys.executable, __file__, "--run", run, "--megapixels", megapixels, "--lights", arguments.lights]
            done = subprocess.run([*map(str, command)], check=True, capture_output=True, text=True)
            rows.append({key: round(value, 4) for key, value in json.loads(done.stdout.splitlines()[-1]).items()})
            print(json.dumps(rows[-1], indent=1), flush=True)
    result = {"command": " ".join(sys.argv), "lights": arguments.lights, "tile": TILE, "rows": rows}
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()

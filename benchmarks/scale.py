"""What a data set costs before anything is learned: opening, digest, memory, for a number of captures.

    python benchmarks/scale.py [--captures 1000] [--lights 6] [--size 64] [--out benchmarks/results/scale.json]

Captures are noise, written to a temporary folder as PNG; times are CPU seconds of this process, so that a machine that
does other things as well gives the same. Reading and decoding grow with the size; the rest does not.
"""

import argparse
import json
import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np
from PIL import Image

from afrd.datasets import open_dataset, verify


def write(folder: Path, captures: int, lights: int, size: int) -> int:
    """Returns the bytes written."""
    rng, total = np.random.default_rng(0), 0
    for index in range(captures):
        part = folder / "train" / "good" / f"{index:07d}"
        part.mkdir(parents=True)
        for light in range(lights):
            path = part / f"{light}.png"
            Image.fromarray(rng.integers(0, 256, (size, size, 3), np.uint8)).save(path, compress_level=1)
            total += path.stat().st_size
    return total


def timed(work) -> tuple[float, object]:
    """CPU seconds, and what the work gave."""
    started = time.process_time()
    found = work()
    return time.process_time() - started, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captures", type=int, default=1000)
    parser.add_argument("--lights", type=int, default=6)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "scale.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        written = write(Path(folder), arguments.captures, arguments.lights, arguments.size)
        tracemalloc.start()
        opening, captures = timed(lambda: open_dataset(folder))
        kept = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        opening, captures = timed(lambda: open_dataset(folder))  # again, without counting memory
        digest, _ = timed(captures.digest)
        decoding, _ = timed(lambda: verify(captures))
    result = {
        "captures": arguments.captures,
        "lights": arguments.lights,
        "size": arguments.size,
        "bytes": written,
        "open_cpu_seconds": round(opening, 3),
        "records_bytes": kept,
        "digest_cpu_seconds": round(digest, 3),
        "verify_cpu_seconds": round(decoding, 3),
    }
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()

"""Every section in a process of its own, its result as JSON in --out: `python -m benchmarks.gpu --data D --out R`.

A section that fails is named at the end, with its exit status; the others are measured all the same.
"""

import argparse
import json
import platform
import subprocess
import sys
import time
from pathlib import Path

import torch

from afrd.files import write_text

NAMES = ("networks", "learning", "exported")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all without one")
    parser.add_argument("--data", type=Path, required=True, help="captures of one category in the folder layout")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="folder for the runs")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"{', '.join(sorted(unknown))}: choose of {', '.join(NAMES)}")
    options.out.mkdir(parents=True, exist_ok=True)
    cuda = options.device.startswith("cuda")
    machine = {
        "gpu": torch.cuda.get_device_name() if cuda else None,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "python": platform.python_version(),
    }
    write_text(options.out / "machine.json", json.dumps(machine, indent=1))
    failed = []
    for name in options.names or NAMES:
        started = time.perf_counter()
        command = [sys.executable, "-m", f"benchmarks.gpu.{name}", "--data", options.data, "--work", options.work]
        command += ["--device", options.device, *(["--quick"] if options.quick else [])]
        done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, text=True)
        print(f"{name}: status {done.returncode}, {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
        if done.returncode:
            failed.append(name)
        else:
            write_text(options.out / f"{name}.json", json.dumps(json.loads(done.stdout), indent=1) + "\n")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()

"""Two threads beside one busy program on two processors: what waiting by turning costs, and what is set here.

    python benchmarks/crowded.py [--rounds 5] [--out FILE]

The teacher (EfficientNet-Lite0) on six lights of 256² in a process of its own, in seconds a capture: quiet, and beside
a program that never rests and is bound to one of the two processors. Torch as it comes and with `rest_threads`; ONNX
Runtime as it comes and as `afrd.runtimes` opens it. SciPy: a whitening's leading directions, 256 of 1,056. Medians over
rounds, in which all of them take turns.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from afrd.files import write_text

CAPTURES = 12
TORCH = f"""
import sys, time
from afrd.console import rest_threads
if sys.argv[1] == "rests":
    rest_threads()
import torch
from afrd.model.folding import folded_teacher
from afrd.model.teacher import Teacher
torch.set_num_threads(2)
teacher, images = folded_teacher(Teacher.load("efficientnet_lite0")), torch.rand(1, 6, 3, 256, 256)
for turn in range({CAPTURES} + 3):
    start = time.perf_counter() if turn == 3 else 0 if turn < 3 else start
    teacher(images)
print((time.perf_counter() - start) / {CAPTURES})
"""
ONNX = f"""
import sys, time, numpy, onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 2
if sys.argv[1] == "rests":
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
session = onnxruntime.InferenceSession(sys.argv[2], options)
images = numpy.random.rand(6, 3, 256, 256).astype(numpy.float32)
for turn in range({CAPTURES} + 3):
    start = time.perf_counter() if turn == 3 else 0 if turn < 3 else start
    session.run(None, {{"images": images}})
print((time.perf_counter() - start) / {CAPTURES})
"""
LAPACK = """
import sys, time
from afrd.console import rest_threads
if sys.argv[1] == "rests":
    rest_threads()
import torch
from afrd.model.moments import leading
root = torch.randn(1056, 1056, dtype=torch.float64)
for turn in range(3):
    start = time.perf_counter() if turn == 1 else 0 if turn < 1 else start
    leading(root @ root.T, 256)
print((time.perf_counter() - start) / 2)
"""
GRAPH = """
import sys, torch
from afrd.model.folding import folded_teacher
from afrd.model.teacher import Teacher
teacher = folded_teacher(Teacher.load("efficientnet_lite0"))
class Levels(torch.nn.Module):
    def forward(self, images):
        return tuple(teacher(images[None]))
torch.onnx.export(Levels(), (torch.rand(6, 3, 256, 256),), sys.argv[1], input_names=["images"], verbose=False)
"""


def seconds(program: str, *arguments: str) -> float:
    """A capture, as the program prints it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    command = [sys.executable, "-W", "ignore", "-c", program, *arguments]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "crowded.json")
    arguments = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))[:2]
    os.sched_setaffinity(0, cores)
    with tempfile.TemporaryDirectory() as folder:
        graph = str(Path(folder) / "teacher.onnx")
        subprocess.run([sys.executable, "-W", "ignore", "-c", GRAPH, graph], check=True, capture_output=True)
        contenders = {"torch": (TORCH,), "ONNX Runtime": (ONNX, graph), "SciPy": (LAPACK,)}
        found = {name: {} for name in contenders}
        for _ in range(arguments.rounds):
            for beside in ("quiet", "beside a busy program"):
                busy = None
                if beside != "quiet":
                    busy = subprocess.Popen(["taskset", "-c", str(cores[1]), sys.executable, "-c", "while True: pass"])
                try:
                    for name, (program, *rest) in contenders.items():
                        for how in ("as it comes", "rests"):
                            took = seconds(program, how, *rest)
                            found[name].setdefault(beside, {}).setdefault(how, []).append(took)
                finally:
                    if busy:
                        busy.kill()
    medians = {
        name: {beside: {how: median(took) for how, took in each.items()} for beside, each in by.items()}
        for name, by in found.items()
    }
    write_text(
        arguments.out, json.dumps({"rounds": arguments.rounds, "medians": medians, "all": found}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()

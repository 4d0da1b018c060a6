"""From the start of a process to its answer: help, import, and the first verdict of an exported model.

    python -m benchmarks.speed.start > benchmarks/results/speed/start.json

Wall time of whole processes, run in turn; their files are in the kernel's cache, as after the first start. The verdict
is of one capture of 6 × 256² with EfficientNet-Lite0, `mean` and `joint`, through `Inspector` as `afrd predict` goes,
without reading images.
"""

import subprocess
import sys
from functools import partial
from pathlib import Path

from benchmarks.speed.measure import arguments, artefact_folder, child, in_turn, progress, report, spread
from benchmarks.speed.models import LITE0, VARIANTS, export_missing

REPEATS = 9
_MEMORY = "from benchmarks.speed.measure import resident_mb; print('{\"peak_memory_mb\": %f}' % resident_mb())"
_VERDICT = """
import sys, numpy
from afrd import Inspector
inspector = Inspector.load(sys.argv[1])
size, lights = inspector.card.image_size, len(inspector.lights)
images = numpy.random.default_rng(0).integers(0, 256, (lights, 3, size, size), dtype=numpy.uint8)
assert inspector.inspect(images).verdict in ("good", "anomalous")
assert "torch" not in sys.modules"""
_HELP = "import sys, contextlib, io; sys.argv = ['afrd', '--help']\nfrom afrd.cli import main\n" + (
    "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()): main()\n"
)


def measured(folder: Path, quick: bool) -> dict:
    lights, size = (2, 64) if quick else (6, 256)
    code: dict[str, list[str]] = {"import afrd": ["-c", "import afrd"]}
    for fusion in ("mean",) if quick else ("mean", "joint"):
        for variant, path in export_missing(folder, LITE0, fusion, lights, size).items():
            if VARIANTS[variant][1] == "fp32":
                code[f"first verdict, {fusion}, {variant}"] = ["-c", _VERDICT, str(path)]
    # the command itself; its memory is that of the function that it calls
    commands = {"afrd --help": [str(Path(sys.executable).with_name("afrd")), "--help"]}
    commands |= {name: [sys.executable, *arguments] for name, arguments in code.items()}
    code["afrd --help"] = ["-c", _HELP]
    run = partial(subprocess.run, check=True, stdout=subprocess.DEVNULL)
    progress("starting")
    taken = in_turn({name: partial(run, command) for name, command in commands.items()}, 1 if quick else REPEATS)
    memory = {}
    for name, (flag, text, *rest) in code.items():
        memory[name] = child([flag, f"{text}\n{_MEMORY}", *rest])["peak_memory_mb"]
    return {"start": {n: {"seconds": spread(s), "peak_memory_mb": memory[n]} for n, s in taken.items()}}


if __name__ == "__main__":
    options = arguments(__doc__).parse_args()
    with artefact_folder(options.artefacts) as folder:
        report(lambda: measured(folder, options.quick), options.quick)

"""Artefacts of the runs that `learning` left, on the GPU: answers beside the run folder's on the processor, and time.

`.onnx` needs onnxruntime-gpu; `.pt2` needs torch alone. Exporting compares on the processor.
"""

from pathlib import Path

import numpy as np
import onnxruntime
from benchmarks.gpu.learning import judged, open_test
from benchmarks.gpu.measure import apart, arguments, report, seconds
from benchmarks.speed.measure import progress

from afrd import Inspector
from afrd.datasets import open_dataset
from afrd.errors import ModelError
from afrd.export import export_run
from afrd.runtimes import SUFFIXES

RUNS = ("joint", "attention")


def of_artefact(path: Path, run: Path, options, test) -> dict:
    expected, found = judged(run, test, "cpu"), judged(path, test, options.device)
    inspector = Inspector.load(path, device=options.device, check_lights=False)
    images = np.asarray(test[0].images)
    result: dict = {
        "scores_apart": apart(found["scores"], expected["scores"]),
        "maps_apart": apart(found["maps"], expected["maps"]),
        "verdicts_alike": found["anomalous"] == expected["anomalous"],
        "one capture, inspected": seconds(lambda: inspector.inspect(images), options.device),
    }
    for batch in (1, 16):
        many = np.repeat(images[None], batch, axis=0)
        result[f"batch {batch}, from host memory"] = seconds(
            lambda many=many: inspector._runtime.run(many), options.device
        )
    return result


def main() -> None:
    options = arguments(__doc__).parse_args()
    test = open_test(options.data)
    found: dict = {}
    for target in ("onnx", "torch"):
        for name in RUNS:
            run = options.work / f"{name}-cpu"
            out = options.work / f"{name}{SUFFIXES[target]}"
            try:
                export_run(run, open_dataset(options.data, None, "train"), out, to=target, compare_on=test)
                found[f"{name}, {target}"] = of_artefact(out, run, options, test)
            except ModelError as error:  # answers that differ, a device that cannot be had
                found[f"{name}, {target}"] = {"refused": str(error)}
            progress(f"{name}, {target}: {found[f'{name}, {target}']}")
    report({"onnxruntime": onnxruntime.__version__, "artefacts": found})


if __name__ == "__main__":
    main()

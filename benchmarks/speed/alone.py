"""One artefact in a process without torch, as on a station: prints the memory that loading and calling it twice takes.

    python -m benchmarks.speed.alone FILE BATCH LIGHTS SIZE

With LIGHTS 0 the file is an OpenVINO model that is not ours and takes float images [B, 3, S, S].
"""

import json
import sys
from pathlib import Path

import numpy as np
from benchmarks.speed.measure import Call, resident_mb


def ours(path: Path, batch: int, lights: int, size: int) -> Call:
    """One of `afrd export`, through its runtime."""
    from afrd.runtimes import open_runtime

    runtime = open_runtime(path)
    images = np.random.default_rng(0).integers(0, 256, (batch, lights, 3, size, size), dtype=np.uint8)
    return lambda: runtime.run(images)


def foreign(path: Path, batch: int, size: int) -> Call:
    """Any OpenVINO model of one input, compiled with the settings that ours have."""
    import openvino

    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(path, "CPU", settings)
    images = np.random.default_rng(0).random((batch, 3, size, size), dtype=np.float32)
    return lambda: compiled.create_infer_request().infer([images])


if __name__ == "__main__":
    path, (batch, lights, size) = Path(sys.argv[1]), map(int, sys.argv[2:])
    call = ours(path, batch, lights, size) if lights else foreign(path, batch, size)
    call()
    call()
    print(json.dumps({"peak_memory_mb": resident_mb()}))

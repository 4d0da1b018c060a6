"""`POST` to answer beside `Inspector.inspect` alone, the same captures in turn: `python -m benchmarks.station.latency`.

The two are taken in blocks that alternate, so that a busy neighbour slows both alike. The inspection alone starts from
decoded arrays in memory; the request brings PNG files that are sent, decoded, checked, judged and put on record. A
third block decodes the files one after another and inspects them, as a script without a station would. Memory that is
freed is kept, as in a station; start it with GOMP_SPINCOUNT=10000 OPENBLAS_NUM_THREADS=1 in the environment, so that
the inspection alone has a station's threads, too.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from benchmarks.station.models import model, parts, write

from afrd.console import keep_memory
from afrd.datasets.images import decode, together
from afrd.inspector import Inspector
from station_process import StationProcess

BLOCK = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lights", type=int, default=6)
    parser.add_argument("--size", type=int, default=256, help="side in pixels; 1414 is two megapixels")
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--folder", type=Path, help="keep the model here for another run")
    options = parser.parse_args()
    keep_memory()
    with TemporaryDirectory() as temporary:
        run = model(options.folder or Path(temporary), options.lights, options.size)
        arrays, files = parts(6, options.lights, options.size)
        inspector = Inspector.load(run)
        station = StationProcess(run, Path(temporary) / "data")
        alone: list[float] = []
        decoded: list[float] = []
        posted: list[float] = []
        inside: list[float] = []
        for k in range(-BLOCK, options.repeats, BLOCK):
            for times in (alone, decoded, posted):
                for j in range(BLOCK):
                    part = (k + j) % len(files)
                    began = time.perf_counter()
                    if times is alone:
                        inspector.inspect(arrays[part])
                    elif times is decoded:
                        lights = [decode(content, Path(name)) for name, content in files[part].items()]
                        inspector.inspect(together(lights))
                    else:
                        answer = station.post(files[part])
                    if k >= 0:  # the first block warms both up
                        times.append(time.perf_counter() - began)
                    if times is posted and k >= 0:
                        record = station.client.get(f"/api/captures/{answer.json()['id']}").json()
                        inside.append(record["inspection_seconds"])
        station.end()
    write(
        {
            "lights": options.lights,
            "size": options.size,
            "repeats": options.repeats,
            "inspect_ms": _spread(alone),
            "decode_and_inspect_ms": _spread(decoded),
            "post_ms": _spread(posted),
            "inspection_within_post_ms": _spread(inside),
            "p50_ratio": round(float(np.median(posted) / np.median(alone)), 3),
            "p99_ratio": round(float(np.percentile(posted, 99) / np.percentile(alone, 99)), 3),
            "p50_ratio_to_decode_and_inspect": round(float(np.median(posted) / np.median(decoded)), 3),
            "p99_ratio_to_decode_and_inspect": round(float(np.percentile(posted, 99) / np.percentile(decoded, 99)), 3),
        }
    )


def _spread(seconds: list[float]) -> dict[str, float]:
    return {f"p{q}": round(1000 * float(np.percentile(seconds, q)), 2) for q in (50, 90, 99)}


if __name__ == "__main__":
    main()

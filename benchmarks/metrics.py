"""Time and memory of all three metrics with their intervals on 400 captures of 512².

python benchmarks/metrics.py > benchmarks/results/metrics.json
"""

import json
import resource
import time

import numpy as np

from afrd.evaluation.metrics import image_auroc, pixel_metrics

CAPTURES, SIZE = 400, 512


def main() -> None:
    rng = np.random.default_rng(0)
    labels = [i % 2 == 1 for i in range(CAPTURES)]
    maps = [rng.random((SIZE, SIZE), dtype=np.float32) for _ in labels]
    masks = [np.zeros((SIZE, SIZE), bool) for _ in labels]
    for label, anomaly_map, mask in zip(labels, maps, masks, strict=True):
        if label:
            y, x = rng.integers(0, SIZE - 40, 2)
            mask[y : y + 40, x : x + 40] = True
            anomaly_map[mask] += 0.3
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    image = image_auroc(labels, [float(m.max()) for m in maps])
    pixel, pro = pixel_metrics(maps, masks)
    seconds = time.perf_counter() - started
    print(
        json.dumps(
            {
                "captures": CAPTURES,
                "size": SIZE,
                "seconds": seconds,
                "peak_memory_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
                "of_which_maps_and_masks_gib": before / 2**20,
                "image_auroc": [image.value, *image.interval],
                "pixel_auroc": [pixel.value, *pixel.interval],
                "au_pro": [pro.value, *pro.interval],
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()

"""Lights chosen by painted defects, by test labels, and by chance: what each choice is worth on the test captures.

    python benchmarks/lights_study.py DATA [--categories C …] [--test-split test] [--out FILE]

For each category one study. Per number of lights: I-AUROC on the labels of the subset that painted defects rank first,
of the one that the labels rank first (an oracle, chosen and judged on the same captures), and the mean of all subsets
(chance; null where a search looked at some of them only, those that promise most, as above ten lights; so is the rank
correlation). And the whole recommendation, by painted defects and by labels, with the seconds that it took. --out is
results/lights_study.json beside this, unless said otherwise; categories are added to what it holds. Twelve lights go to
results/lights_study_twelve.json.
"""

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch

from afrd import LightStudy, light_study, open_dataset
from afrd.datasets import categories
from afrd.files import write_text


def of_study(study: LightStudy) -> dict:
    """The figures of one category."""
    sizes, n = {}, len(study.lights)
    for size in sorted({len(each.lights) for each in study.subsets}):
        subsets = [each for each in study.subsets if len(each.lights) == size]
        painted, labels = max(subsets, key=lambda each: each.painted_auroc), study.best_of(size)
        sizes[size] = {
            "by painted defects": {"lights": painted.lights, "image_auroc": painted.image_auroc},
            "by labels": {"lights": labels.lights, "image_auroc": labels.image_auroc},
            "chance": float(np.mean([each.image_auroc for each in subsets]))
            if len(subsets) == math.comb(n, size)
            else None,
        }
    both = np.array([[each.painted_auroc, each.image_auroc] for each in study.subsets])
    ranks = both.argsort(0).argsort(0)
    return {
        "recommended by painted defects": {
            "lights": study.by_painted,
            "image_auroc": study.subset(study.by_painted).image_auroc,
        },
        "recommended by labels": {
            "lights": study.recommended,
            "image_auroc": study.own.value,
            "interval": [study.own.low, study.own.high],
            "elsewhere": study.elsewhere and [study.elsewhere.value, study.elsewhere.low, study.elsewhere.high],
        },
        "all lights": study.subset(study.lights).image_auroc,
        "rank correlation of the two over subsets": float(np.corrcoef(ranks.T)[0, 1])
        if len(study.subsets) == 2**n - 1
        else None,
        "learned_from": study.learned_from,
        "held_out": study.held_out,
        "good": study.good,
        "bad": study.bad,
        "alike": study.alike,
        "sums": [[each.light, each.of, each.share] for each in study.sums],
        "by number of lights": sizes,
        "subsets": study.to_json()["subsets"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--categories", nargs="*")
    parser.add_argument("--test-split", default="test")
    parser.add_argument("--cache-dir", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "lights_study.json")
    arguments = parser.parse_args()
    found = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    for category in arguments.categories or categories(arguments.data):
        name = category if len(categories(arguments.data)) > 1 else None
        good, held_out, test = (
            open_dataset(arguments.data, name, split) for split in ("train", "val", arguments.test_split)
        )
        start, used = time.perf_counter(), time.process_time()
        study = light_study(good, held_out, test, cache_dir=arguments.cache_dir)
        took = {"seconds": time.perf_counter() - start, "processor_seconds": time.process_time() - used}
        found[category] = of_study(study) | took | {"threads": torch.get_num_threads()}
        write_text(arguments.out, json.dumps(found, indent=1) + "\n")
        print("\n".join([category, *study.words()]))


if __name__ == "__main__":
    main()

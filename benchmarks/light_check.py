"""The light check on real captures: false alarms, and faults of the rig made from the captures' own images.

    python benchmarks/light_check.py DATA --classes A B C \
        --out benchmarks/results/light_check.json

Learnt from all training captures and from ten (false alarms: three draws of ten); judged on all captures of val and
test, defective parts included. Factors multiply pixel values, rounded and clipped. "Found": any fault is reported;
"right light": exactly the faulty lights are named; "right kind": they are, and with the kind that `FACTORS` or
`faults` gives.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations, islice
from pathlib import Path

import numpy as np

from afrd.datasets import open_dataset
from afrd.files import write_text
from afrd.rig.light_check import LightReference

FEW, DRAWS = 10, 3
FACTORS = {
    "dead (black)": (0.0, {"dark"}),
    "×3, clipped": (3.0, {"overexposed"}),
    "×2": (2.0, {"overexposed", "unlike"}),
    "×0.5": (0.5, {"unlike"}),
    "×1.3": (1.3, {"overexposed", "unlike"}),
    "÷1.3": (1 / 1.3, {"unlike"}),
}


def scaled(image: np.ndarray, factor: float) -> np.ndarray:
    return np.clip(np.rint(image * np.float32(factor)), 0, np.iinfo(image.dtype).max).astype(image.dtype)


def faults(images: np.ndarray) -> Iterator[tuple[str, set[int], set[str], np.ndarray]]:
    """Name of the fault, lights to be named, kinds to be given, capture."""
    lights = range(len(images))
    for name, (factor, kinds) in FACTORS.items():
        for k in lights:
            broken = images.copy()
            broken[k] = scaled(images[k], factor)
            yield name, {k}, kinds, broken
    for i, j in combinations(lights, 2):
        broken = images.copy()
        broken[[i, j]] = images[[j, i]]
        yield "two swapped", {i, j}, {"swapped"}, broken
    for k in lights:
        broken = images.copy()
        broken[k] = images[(k + len(images) // 2) % len(images)]
        yield "one moved to another's place", {k}, {"unlike"}, broken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--classes", nargs="+", required=True)
    parser.add_argument("--every", type=int, default=1, help="judge only each n-th capture")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    counts: dict = defaultdict(lambda: defaultdict(lambda: dict.fromkeys(("cases", "found", "named", "kind"), 0)))
    false_alarms, not_right = [], defaultdict(int)
    for category in args.classes:
        train = open_dataset(args.data, category, "train")
        draws = [np.random.default_rng(seed).permutation(len(train))[:FEW] for seed in range(DRAWS)]
        whole = f"{len(train)}", LightReference.learn(capture.images for capture in train)
        few = [(f"{FEW}", LightReference.learn(train[int(i)].images for i in draw)) for draw in draws]
        for split in ("val", "test"):
            for capture in islice(open_dataset(args.data, category, split), 0, None, args.every):
                good = f"none, {'defective' if capture.anomalous else 'good'} part"
                for name, lights, kinds, images in [(good, set(), set(), capture.images), *faults(capture.images)]:
                    for size, reference in [whole, *(few[:1] if lights else few)]:
                        found = reference.check(images)
                        named = {k for f in found for k in (f.light, f.other) if k is not None} == lights
                        kind = named and {f.kind for f in found} <= kinds
                        tally = counts[size][name]
                        tally["cases"] += 1
                        tally["found"] += bool(found)
                        tally["named"] += named
                        tally["kind"] += kind
                        if found and not lights:
                            false_alarms.append([category, split, capture.id, size, *map(str, found)])
                        elif not kind:
                            not_right[
                                f"{size} | {category} | {name} {sorted(lights)} | {', '.join(map(str, found))}"
                            ] += 1
    result = {"classes": args.classes, "counts": counts, "false_alarms": false_alarms, "not_right": not_right}
    write_text(args.out, json.dumps(result, indent=1) + "\n")
    print("| training captures | fault of the rig | cases | found | right light | right kind |")
    print("|---|---|---|---|---|---|")
    for size, by_name in counts.items():
        for name, tally in by_name.items():
            shares = [f"{100 * tally[part] / tally['cases']:.2f} %" for part in ("found", "named", "kind")]
            print(f"| {size} | {name} | {tally['cases']} | {' | '.join(shares)} |")


if __name__ == "__main__":
    main()

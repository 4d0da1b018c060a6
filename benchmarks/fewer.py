"""The joint model with fewer captures to learn from, and with one light missing at inspection.

    python benchmarks/fewer.py DATA --store FEATURES --out benchmarks/results/fewer.json

FEATURES: where teacher features are kept; the `features` folder of a comparison has them already. A class that is in
the result file is not measured again. Table: `python benchmarks/fewer.py --table benchmarks/results/fewer.json`.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from afrd.benchmark.class_data import ClassData
from afrd.benchmark.job import Settings
from afrd.benchmark.worker import commit, versions
from afrd.datasets import categories
from afrd.evaluation.metrics import image_auroc
from afrd.files import write_text
from afrd.model import JointGaussian
from afrd.training.features import FeatureCache

CAPTURES, DRAWS = (5, 10, 20, 40, 60), 3


def fitted(features: FeatureCache, chosen: np.ndarray, model: JointGaussian) -> JointGaussian:
    model.fit(features.batch([i]) for i in sorted(chosen))
    return model


def auroc(
    model: JointGaussian, features: FeatureCache, labels: list[bool], lights: set[int] | None = None
) -> dict[str, Any]:
    scores = [float(model.judge(levels, lights).score) for levels in features.each()]
    estimate = image_auroc(labels, scores)
    return {"image_auroc": estimate.value, "interval": estimate.interval, "scores": np.round(scores, 5).tolist()}


@torch.inference_mode()
def measure(data: ClassData) -> dict[str, Any]:
    train, test = data.features("train"), data.features("test")
    labels = [bool(label) for label in data.test.labels]
    model = JointGaussian(lights=len(data.lights)).eval()
    captures: dict[str, list] = {}
    for n in sorted({min(n, len(train)) for n in CAPTURES}, reverse=True):
        for draw in range(1 if n == len(train) else DRAWS):
            chosen = np.random.default_rng(draw).permutation(len(train))[:n]
            captures.setdefault(str(n), []).append(auroc(fitted(train, chosen, model), test, labels))
    fitted(train, np.arange(len(train)), model)
    without = {}
    for k, light in enumerate(data.lights):
        without[light] = auroc(model, test, labels, set(range(len(data.lights))) - {k})
    return {"captures": captures, "without": without, "labels": labels}


def table(result: dict[str, Any]) -> list[str]:
    classes = result["classes"]
    lines = ["| | " + " | ".join([*classes, "average"]) + " |", "|---" * (len(classes) + 2) + "|"]

    def row(name: str, values: list[float]) -> None:
        lines.append(f"| {name} | " + " | ".join(f"{v:.3f}" for v in (*values, np.mean(values))) + " |")

    first = next(iter(classes.values()))
    for n in sorted(first["captures"], key=int):
        row(f"{n} captures", [np.mean([d["image_auroc"] for d in c["captures"][n]]) for c in classes.values()])
    for light in first["without"]:
        row(f"without {light}", [c["without"][light]["image_auroc"] for c in classes.values()])
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path)
    parser.add_argument("--store", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--table", type=Path)
    arguments = parser.parse_args()
    if arguments.table:
        print("\n".join(table(json.loads(arguments.table.read_text()))))
        return
    result = json.loads(arguments.out.read_text()) if arguments.out.exists() else {"classes": {}}
    for category in categories(arguments.data):
        if category not in result["classes"]:
            result["classes"][category] = measure(ClassData(arguments.data, category, Settings(), arguments.store))
            result |= {"versions": versions(), "commit": commit(), "draws": DRAWS}
            write_text(arguments.out, json.dumps(result) + "\n")
            print(category, flush=True)


if __name__ == "__main__":
    main()

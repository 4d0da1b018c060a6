"""A dead light made from the others and judged as if it were there, beside the light left out: I-AUROC of both.

    python benchmarks/stand_in.py DATA [--categories C …] [--test-split test] [--out FILE]

DATA: a data set of categories. Each is learned once (the default's joint model, seed 0). Then each light in turn is
dead in every test capture: it is left out, as `--on-light-fault leave-out` does, or `Inspector.picture_under` makes its
picture from the others and all lights are judged. `all lights` is nothing dead. Also the share of good parts above the
threshold that holds in each case. --out is results/stand_in.json beside this; categories are added to it.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from afrd import Inspector, open_dataset
from afrd.datasets import categories
from afrd.files import write_text
from afrd.training import TrainConfig, train


def of_category(data: Path, name: str | None, test_split: str) -> dict:
    """The figures of one category, by light."""
    good, held_out, test = (open_dataset(data, name, split) for split in ("train", "val", test_split))
    with tempfile.TemporaryDirectory() as folder:
        train(good, Path(folder) / "run", TrainConfig(fusion="joint"), holdout=held_out)
        inspector = Inspector.load(Path(folder) / "run", check_lights=False)
        captures = list(test.read_as(inspector.imaging))
    bad = np.array([capture.anomalous for capture in captures])

    def judged(images: list[np.ndarray], missing: tuple[str, ...] = ()) -> dict[str, float]:
        found = [inspector.inspect(each, missing=missing) for each in images]
        scores, above = np.array([one.score for one in found]), np.array([one.anomalous for one in found])
        return {
            "I-AUROC": round(float(roc_auc_score(bad, scores)), 4),
            "false alarms": round(float(above[~bad].mean()), 4),
        }

    whole = [capture.images for capture in captures]
    rows = {"all lights": judged(whole)}
    for k, light in enumerate(inspector.lights.names):
        made = []
        for images in whole:
            copy = images.copy()
            copy[k] = inspector.picture_under(images, light)
            made.append(copy)
        rows[light] = {"left out": judged(whole, (light,)), "made from the others": judged(made)}
    lights = [rows[light] for light in inspector.lights.names]
    rows["mean over lights"] = {
        how: {key: round(float(np.mean([row[how][key] for row in lights])), 4) for key in rows["all lights"]}
        for how in ("left out", "made from the others")
    }
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--categories", nargs="*")
    parser.add_argument("--test-split", default="test")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "stand_in.json")
    arguments = parser.parse_args()
    found = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    known = categories(arguments.data)
    for category in arguments.categories or known:
        found[category] = of_category(arguments.data, category if len(known) > 1 else None, arguments.test_split)
        write_text(arguments.out, json.dumps(found, indent=1) + "\n")
        print(category, json.dumps(found[category]["mean over lights"]), flush=True)


if __name__ == "__main__":
    main()

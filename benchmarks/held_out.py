"""The default on foreign blobs, learning from train and val in folds, and from train alone as every rival does.

    python benchmarks/held_out.py FLATS --out benchmarks/results/held_out.json

FLATS: the folder that benchmarks/flats.py writes. In folds every good capture serves both fit and threshold; that is
what `afrd train` does. With `folds: 0` the captures of val set the threshold and nothing else, so the fit has what
`mean` and `attention` have in the comparison. Seed 0, one run of either; classes that are in --out already stay.
"""

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory

from sklearn.metrics import roc_auc_score

from afrd import Inspector, __version__
from afrd.datasets import categories, open_dataset
from afrd.files import write_text
from afrd.training import TrainConfig, train

FOLDS = {"train and val, in folds": 5, "train alone": 0}
RATE = 0.1  # as in the comparison


def learned(root: Path, category: str, folds: int) -> dict[str, float | int]:
    good, holdout, test = (open_dataset(root, category, split) for split in ("train", "val", "test"))
    with TemporaryDirectory() as folder:
        config = TrainConfig(fusion="joint", folds=folds, false_alarm_rate=RATE)
        card = train(good, Path(folder) / "run", config, holdout=holdout, resumable=False)
        inspector = Inspector.load(Path(folder) / "run", check_lights=False)
        scores = [inspector.inspect_capture(capture).score for capture in test]
    bad = [bool(capture.anomalous) for capture in test]
    alarms = [score > card.threshold for score, defect in zip(scores, bad, strict=True) if not defect]
    return {
        "learned_from": card.captures,
        "image_auroc": float(roc_auc_score(bad, scores)),
        "false_alarms": sum(alarms),
        "good": len(alarms),
        "stated": card.false_alarm_rate,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("flats", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    found = json.loads(options.out.read_text()) if options.out.is_file() else {"afrd": __version__, "classes": {}}
    for category in categories(options.flats):
        of = found["classes"].setdefault(category, {})
        for name, folds in FOLDS.items():
            if name not in of:
                of[name] = learned(options.flats, category, folds)
                write_text(options.out, json.dumps(found, indent=1) + "\n")
                print(category, name, of[name], flush=True)


if __name__ == "__main__":
    main()

"""What int8 costs: I-AUROC of `mean` as trained, as OpenVINO fp32 and as OpenVINO int8, on the same test captures.

    python benchmarks/int8.py DATA --out benchmarks/results/int8.json

For each class a run of 40 epochs, bf16-mixed, in `--runs`; one that is finished there already with these settings is
taken as it is. int8 is calibrated with training captures. Goes on with the classes that are not in the result file.
`failures` are what would make `afrd export` refuse; `map`, `score` the largest differences as shares of the map's
range.
"""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from afrd import __version__
from afrd.checkpoint import load_card, load_model
from afrd.datasets import CaptureSet, categories, open_dataset
from afrd.export.comparison import TOLERANCES, compare
from afrd.export.writing import write
from afrd.inspector import Inspector
from afrd.runtimes import ArtefactCard, Input
from afrd.training import TrainConfig, train
from by_class import measure_classes

SETTINGS = ("fusion", "epochs", "image_size", "precision")


def trained(run: Path, data: Path, category: str, config: TrainConfig) -> Path:
    if (run / "model.yaml").is_file():
        known, wanted = load_card(run).config, config.model_dump(mode="json")
        changed = [f"{key}: {known.get(key)} → {wanted[key]}" for key in SETTINGS if known.get(key) != wanted[key]]
        if changed:
            sys.exit(f"{run}: was trained with other settings ({'; '.join(changed)}); choose other --runs")
    else:
        captures, holdout = (open_dataset(data, category, split) for split in ("train", "val"))
        train(captures, run, config, holdout=holdout, resume=True)
    return run


def measure(run: Path, good: CaptureSet, test: CaptureSet) -> dict[str, Any]:
    model, card = load_model(run)
    height, width = good[0].size
    input = Input(height=height, width=width, dtype=good[0].images.dtype.name)
    eager = Inspector.load(run, check_lights=False)
    labels = list(test.labels)
    found: dict[str, Any] = {"good": labels.count(False), "bad": labels.count(True), "captures": card.captures}
    for precision in ("fp32", "int8"):
        with TemporaryDirectory() as folder:
            artefact = ArtefactCard(
                afrd_version=__version__, runtime="openvino", precision=precision, input=input, model=card
            )
            path = write(model, artefact, good, Path(folder) / "model.xml")[-1]
            answers = Inspector.load(path, check_lights=False)
            same = compare(eager, answers, test, TOLERANCES[precision])
        found["eager"], found[f"openvino {precision}"] = same.auroc
        found[precision] = {"map": same.map, "score": same.score, "changed": same.changed, "failures": same.failures}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/int8.json"))
    parser.add_argument("--runs", type=Path, default=Path("runs/int8"))
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--image-size", type=int, default=256)
    options = parser.parse_args()
    config = TrainConfig(fusion="mean", epochs=options.epochs, image_size=options.image_size, precision="bf16-mixed")

    def measured(category: str) -> dict[str, Any]:
        run = trained(options.runs / category, options.data, category, config)
        good, test = (open_dataset(options.data, category, split) for split in ("train", "test"))
        return measure(run, good, test)

    about = config.model_dump(mode="json", include=set(SETTINGS))
    measure_classes(options.out, categories(options.data), measured, **about)


if __name__ == "__main__":
    main()

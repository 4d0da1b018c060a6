"""What it costs that twelve or sixteen lights share the channels of the default model.

    python -m benchmarks.many_lights DATA [--categories C …] [--test-split test_public] [--seed 0]
        [--out benchmarks/results/many_lights.json]

DATA: for example of `afrd render DATA --rig twelve`. The default model keeps 2,048 channels of all lights together, so
that 12 lights of EfficientNet-Lite0's 176 are projected down to 170 each, and 16 lights to 128 each. Each category is
learned and judged with the default, with no channel projected, and with the share that sixteen lights have. Areas with
intervals, 95 %; differences to the model without projections are paired over captures. Seconds are of the processor.
What the result holds of a category is not run again.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from benchmarks.pixels import compared

from afrd.datasets import CaptureSet, categories, open_dataset
from afrd.evaluation import Evaluation, evaluate
from afrd.families.joint import Gaussian, JointConfig
from afrd.files import write_text
from afrd.inspector import Inspector
from afrd.training import train

ALL = "no projection"
SIXTEENTH = 128  # channels a light, of 2,048 for sixteen lights
LITE0 = 176  # channels a light of EfficientNet-Lite0


def channels(lights: int) -> dict[str, int]:
    """Of all lights together, by what it is called."""
    return {
        ALL: LITE0 * lights,
        "the default": Gaussian().channels,
        "as of sixteen lights": SIXTEENTH * lights,
    }


def learned(splits: dict[str, CaptureSet], config: JointConfig) -> tuple[Evaluation, dict[str, float]]:
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        train(splits["train"], Path(folder) / "run", config, holdout=splits["val"])
        done = time.process_time()
        found = evaluate(Inspector.load(Path(folder) / "run"), splits["test"])
    each = (time.process_time() - done) / len(found.captures)
    return found, {"seconds of learning": round(done - start, 1), "seconds of a capture": round(each, 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--categories", nargs="*")
    parser.add_argument("--test-split", default="test_public")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "many_lights.json")
    arguments = parser.parse_args()
    result = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    for category in arguments.categories or categories(arguments.data):
        if category in result:
            continue
        splits = {
            split: open_dataset(arguments.data, category, arguments.test_split if split == "test" else split)
            for split in ("train", "val", "test")
        }
        rows: dict[str, dict] = {}
        scores: dict[str, list[float]] = {}
        for name, kept in channels(len(splits["train"].lights)).items():
            config = JointConfig(seed=arguments.seed, gaussian=Gaussian(channels=kept))
            found, seconds = learned(splits, config)
            scores[name] = [one.score for one in found.captures]
            areas = (
                ("I-AUROC", found.metrics.image_auroc),
                ("P-AUROC", found.metrics.pixel_auroc),
                ("AU-PRO", found.metrics.au_pro),
            )
            rows[name] = {what: [round(v, 4) for v in (area.value, area.low, area.high)] for what, area in areas}
            rows[name] |= {"channels": kept} | seconds
            if name != ALL:
                labels = [one.anomalous for one in found.captures]
                rows[name]["I-AUROC less that without"] = compared(category, labels, scores[name], scores[ALL])
            print(category, name, json.dumps(rows[name]), flush=True)
        result[category] = {"lights": len(splits["train"].lights)} | rows
        write_text(arguments.out, json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()

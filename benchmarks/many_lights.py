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
from pathlib import Path

from benchmarks.learned import compared, learned, splits_of

from afrd.datasets import categories
from afrd.families.joint import Gaussian, JointConfig
from afrd.files import write_text

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
        splits = splits_of(arguments.data, category, arguments.test_split)
        rows: dict[str, dict] = {}
        scores: dict[str, float] = {}
        for name, kept in channels(len(splits["train"].lights)).items():
            config = JointConfig(seed=arguments.seed, gaussian=Gaussian(channels=kept))
            found, figures = learned(splits, config)
            if name == ALL:
                scores = {one.id: one.score for one in found.captures}
            rows[name] = {"channels": kept} | figures | {"I-AUROC less that without": compared(found, scores)}
            print(category, name, json.dumps(rows[name]), flush=True)
        result[category] = {"lights": len(splits["train"].lights)} | rows
        write_text(arguments.out, json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()

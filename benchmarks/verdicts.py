"""The default's verdicts on a disturbed station, by one threshold for all captures and by its own two.

    python -m benchmarks.verdicts DATA [--categories C …] [--test-split test] [--disturb noise:2 …]
        [--false-alarm-rate 0.1] [--seed 0] [--roi auto] [--runs FOLDER] [--out benchmarks/results/verdicts.json]

The default model learns from train and val, as they are; each test capture is judged as it is and under every
disturbance of `afrd.disturb.STANDARD`, with the light check on. Of each: I-AUROC of all captures and its 95 % interval;
of those whose lights are in order, which share of the good ones is called anomalous, and of the bad ones, by the wider
threshold for all (what a model without the other would say) and by the verdict; how many the light check stopped; how
many were judged by the wider threshold. "refused": the disturbance cannot be put to these captures. What the result
holds of a category is not run again. --runs keeps the run folders; one that is there is not learned again.
"""

import argparse
import json
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.learned import run_of, splits_of

from afrd import Inspector, TrainConfig
from afrd.comparison.copies import DisturbedCaptures
from afrd.datasets import categories
from afrd.disturb import STANDARD, Disturbance
from afrd.errors import DisturbanceError
from afrd.evaluation.metrics import image_auroc
from afrd.files import write_text
from afrd.imaging.settings import ImagingOptions

AS_IT_IS = "as it is"


def judged(inspector: Inspector, captures) -> dict[str, Any]:
    """The figures of captures with labels, all of one disturbance."""
    said = [(capture.anomalous, inspector.inspect_capture(capture)) for capture in captures]
    bad = np.array([label for label, _ in said])
    scores = np.array([each.score for _, each in said])
    lit = np.array([each.judged for _, each in said])
    noted = np.array([each.threshold != inspector.threshold for _, each in said])
    wide = inspector.card.threshold_unlike or inspector.threshold  # None where captures were too few
    one, two = scores > wide, np.array([each.anomalous for _, each in said])
    area = image_auroc(bad.tolist(), scores.tolist())
    return {
        "I-AUROC": [value and round(value, 4) for value in (area.value, area.low, area.high)],
        "good": int((~bad & lit).sum()),
        "bad": int((bad & lit).sum()),
        "stopped, good and bad": [int((~lit & ~bad).sum()), int((~lit & bad).sum())],
        "noted": round(float(noted.mean()), 3),
        "alarms, one threshold": int((one & ~bad & lit).sum()),
        "found, one threshold": int((one & bad & lit).sum()),
        "alarms": int((two & ~bad & lit).sum()),
        "found": int((two & bad & lit).sum()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--categories", nargs="*")
    parser.add_argument("--test-split", default="test")
    parser.add_argument("--disturb", nargs="*", default=list(STANDARD))
    parser.add_argument("--false-alarm-rate", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--roi", help="as of afrd train")
    parser.add_argument("--runs", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "verdicts.json")
    arguments = parser.parse_args()
    settings = {"false_alarm_rate": arguments.false_alarm_rate, "seed": arguments.seed, "split": arguments.test_split}
    settings |= {"roi": arguments.roi} if arguments.roi else {}
    config = TrainConfig(
        fusion="auto",
        false_alarm_rate=arguments.false_alarm_rate,
        seed=arguments.seed,
        imaging=ImagingOptions(roi=arguments.roi),
    )
    for category in arguments.categories or categories(arguments.data):
        result = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
        if category in result:
            if result[category]["settings"] != settings:
                raise SystemExit(f"{arguments.out}: {category} was measured with {result[category]['settings']}")
            continue
        splits = splits_of(arguments.data, category, arguments.test_split)
        kept = nullcontext(arguments.runs) if arguments.runs else tempfile.TemporaryDirectory()
        with kept as folder:
            inspector = run_of(splits, Path(folder) / category, config)
        card = inspector.card
        row = {
            "settings": settings,
            "model": card.fusion,
            "stated": card.false_alarm_rate,
            "at most": card.false_alarm_bound,
        }
        row |= {
            "threshold": card.threshold,
            "threshold_unlike": card.threshold_unlike,
            AS_IT_IS: judged(inspector, splits["test"]),
        }
        for step in arguments.disturb:
            try:
                row[step] = judged(inspector, DisturbedCaptures(splits["test"], Disturbance.parse(step)))
            except DisturbanceError as error:
                row[step] = {"refused": str(error)}
        result[category] = row
        write_text(arguments.out, json.dumps(result, indent=1) + "\n")
        print(category, json.dumps(row[AS_IT_IS]), flush=True)


if __name__ == "__main__":
    main()

"""`afrd train` on the processor and on the GPU, and what the runs say of the same test captures on both.

What is to be seen: that the same captures give the same model (the Gaussian's fit is exact; an epoch of a network is
not), that a run folder answers alike on both devices, and what either costs. Runs stay in --work.
"""

import time
from pathlib import Path

import numpy as np
import torch
from benchmarks.gpu.measure import apart, arguments, report, wait
from benchmarks.speed.measure import progress
from sklearn.metrics import roc_auc_score

from afrd import Inspector
from afrd.datasets import CaptureSet, open_dataset
from afrd.training import TrainConfig, train
from afrd.training.threshold import ROUNDING

EPOCHS = 40
VARIANTS = {
    "joint": {"fusion": "joint"},
    "nearest": {"fusion": "nearest"},
    "attention": {"fusion": "attention"},
    "attention, bf16-mixed": {"fusion": "attention", "precision": "bf16-mixed"},
    "attention, compiled": {"fusion": "attention", "compile": True},
}
ON_BOTH = ("joint", "nearest", "attention")


def open_test(data: Path) -> CaptureSet:
    return open_dataset(data, None, "test")


def learn(data: Path, out: Path, config: TrainConfig) -> dict[str, float]:
    started = time.perf_counter()
    card = train(open_dataset(data, None, "train"), out, config)
    wait(config.accelerator)
    return {"seconds": time.perf_counter() - started, "threshold": card.threshold}


def judged(run: Path, test: CaptureSet, device: str) -> dict:
    inspector = Inspector.load(run, device=device, check_lights=False)
    found = [inspector.inspect_capture(capture) for capture in test]
    return {
        "scores": np.array([one.score for one in found]),
        "maps": np.stack([np.asarray(one.map.values) for one in found]),
        "anomalous": [one.score > one.threshold for one in found],
    }


def of_variant(name: str, settings: dict, options, test: CaptureSet) -> dict:
    devices = list(dict.fromkeys(("cpu", options.device) if name in ON_BOTH else (options.device,)))
    found: dict = {}
    for device in devices:
        run = options.work / f"{name.replace(', ', '-')}-{device}"
        epochs = {"epochs": 1 if options.quick else EPOCHS} if settings["fusion"] == "attention" else {}
        config = TrainConfig(**settings, **epochs, accelerator=device, image_size=64 if options.quick else 256)
        found[device] = learn(options.data, run, config)
        answers = {where: judged(run, test, where) for where in dict.fromkeys(("cpu", options.device))}
        here, there = answers["cpu"], answers[options.device]
        found[device] |= {
            "image_auroc": float(roc_auc_score([c.anomalous for c in test], there["scores"])),
            "scores_on_gpu_and_processor_apart": apart(there["scores"], here["scores"]),
            "maps_on_gpu_and_processor_apart": apart(there["maps"], here["maps"]),
            "verdicts_alike": there["anomalous"] == here["anomalous"],
        }
        found[device]["_scores"] = there["scores"]
    if len(devices) == 2:
        cpu, gpu = found["cpu"], found[options.device]
        found["scores_of_both_models_apart"] = apart(gpu["_scores"], cpu["_scores"])
        found["thresholds_apart"] = abs(gpu["threshold"] / cpu["threshold"] - 1)
    for device in devices:
        del found[device]["_scores"]
    return found


def again(options) -> float:
    """How far the weights of two runs on the GPU with one seed are apart, relative to the largest."""
    weights = []
    for number in range(2):
        out = options.work / f"again-{number}"
        train(
            open_dataset(options.data, None, "train"),
            out,
            TrainConfig(
                fusion="attention", epochs=2, accelerator=options.device, image_size=64 if options.quick else 256
            ),
        )
        inspector = Inspector.load(out, check_lights=False)
        weights.append(torch.cat([p.flatten() for p in inspector._runtime.module.parameters()]).detach().numpy())
    return apart(weights[0], weights[1])


def main() -> None:
    options = arguments(__doc__).parse_args()
    test = open_test(options.data)
    found = {}
    for name, settings in VARIANTS.items():
        progress(name)
        found[name] = of_variant(name, settings, options, test)
    report(
        {
            "captures": {"learned": len(open_dataset(options.data, None, "train")), "judged": len(test)},
            "rounding_that_thresholds_allow": ROUNDING,
            "epochs": EPOCHS,
            "models": found,
            "weights_of_two_runs_apart": again(options),
        }
    )


if __name__ == "__main__":
    main()

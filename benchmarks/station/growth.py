"""Further good parts into a joint model: `python -m benchmarks.station.growth`.

Seconds of `grow` for 20 parts and what they go into, beside those of a training with all of them, and how far mean and
covariance are apart.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from benchmarks.station.models import write

from afrd.checkpoint import load_model
from afrd.datasets import open_dataset
from afrd.families.joint import JointConfig
from afrd.training import train
from afrd.training.growth import grow
from captures import write_folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lights", type=int, default=6)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--parts", type=int, default=60)
    parser.add_argument("--more", type=int, default=20)
    options = parser.parse_args()
    with TemporaryDirectory() as temporary:
        root = Path(temporary)
        lights = tuple(f"light{k}" for k in range(options.lights))
        counts = {"train": {"good": options.parts + options.more}, "val": {"good": 12}}
        write_folder(root / "data", counts, lights=lights, size=options.size, masks=False)
        every, held_out = (open_dataset(root / "data", None, split) for split in ("train", "val"))
        first, more = every[: options.parts], every[options.parts :]
        config = JointConfig(image_size=options.size, growable=True)
        train(first, root / "first", config, holdout=held_out)
        steps: list[float] = []
        began = time.perf_counter()
        grow(root / "first", more, root / "grown", lambda done, of: steps.append(time.perf_counter()))
        seconds = time.perf_counter() - began
        read, learned = 2 * len(more), 2 * len(more) + len(every)  # as they are and blurred; then all of them again
        marks = (began, steps[read - 1], steps[learned - 1], steps[-1])
        began = time.perf_counter()
        train(every, root / "scratch", config.model_copy(update={"growable": False, "folds": 0}), holdout=held_out)
        from_scratch = time.perf_counter() - began
        grown, scratch = (load_model(root / name)[0] for name in ("grown", "scratch"))
        scale = scratch.covariance.diagonal().rsqrt()
        apart = (grown.covariance - scratch.covariance) * scale[:, None] * scale
    write(
        {
            "parts": options.parts,
            "more": options.more,
            "grow_seconds": round(seconds, 2),
            "of_which": {
                what: round(end - start, 2)
                for what, start, end in zip(
                    ("loading, and the teacher on them", "what is usual at which places", "thresholds"),
                    marks,
                    marks[1:],
                    strict=False,
                )
            },
            "training_from_scratch_seconds": round(from_scratch, 2),
            "mean_apart": float(((grown.mean - scratch.mean) * scale).abs().max()),
            "covariance_apart": float(apart.abs().max()),
            "threads": torch.get_num_threads(),
        }
    )


if __name__ == "__main__":
    main()

"""Further good parts into a joint model: `python -m benchmarks.station.growth`.

Seconds of `grow` for 20 parts and what they go into, beside those of a training with all of them, and how far mean and
covariance are apart: from that training, which draws its disturbances from all parts, and from a fit to all parts with
the disturbances of the first training.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from benchmarks.station.models import write

from afrd.checkpoint import load_card, load_model
from afrd.datasets import CaptureSet, open_dataset
from afrd.families import build_model
from afrd.families.joint import JointConfig
from afrd.model import JointGaussian
from afrd.training import train
from afrd.training.disturbed import BlurredCaptures, with_disturbances
from afrd.training.features import Recompute
from afrd.training.growth import grow
from afrd.yaml_model import parse
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
        alike = _fitted(root / "first", first, every, options.lights)
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
            **_apart(grown, scratch),
            "with_the_same_disturbances": _apart(grown, alike),
            "threads": torch.get_num_threads(),
        }
    )


@torch.inference_mode()
def _fitted(run: Path, first: CaptureSet, every: CaptureSet, lights: int) -> JointGaussian:
    """To all captures at once, with the disturbances that the first training drew from its own."""
    card, cpu = load_card(run), torch.device("cpu")
    config = parse(JointConfig, card.config, run)
    model = build_model(config, lights).eval()
    first, every = first.read_as(card.imaging), every.read_as(card.imaging)
    disturbed = with_disturbances(model, first, cpu, config.seed, config.disturbing.captures)
    blurred = Recompute(model, BlurredCaptures(every, config.disturbing.blur), cpu).each()
    model.fit(lambda: Recompute(model, every, cpu).each(), disturbed=disturbed, blurred=blurred)
    return model


def _apart(grown: JointGaussian, other: JointGaussian) -> dict[str, float]:
    """Largest differences of mean and covariance, in standard deviations of the other."""
    scale = other.covariance.diagonal().rsqrt()
    covariance = (grown.covariance - other.covariance) * scale[:, None] * scale
    return {
        "mean_apart": float(((grown.mean - other.mean) * scale).abs().max()),
        "covariance_apart": float(covariance.abs().max()),
    }


if __name__ == "__main__":
    main()

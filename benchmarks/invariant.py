"""Pictures that depend little on the light, as further lights of the joint model: what they add, also when disturbed.

    python -m benchmarks.invariant DATA [--categories C …] [--test-split test] [--inputs log-gradient …]
        [--out benchmarks/results/invariant.json]

Of all lights together, in linear light: `log-gradient`, the steepness of the logarithm of their mean; `chromaticity`,
their mean with its brightness taken out; `ratio`, the brightest light over the mean of all, by pixel. Each is coded to
8 bits with one scale for all captures, and stands beside the lights in learning and inspection; `none` is the lights
alone. In inspection it is made from the disturbed lights. Learning takes it for one more light: noise and painted
defects are put into it as into the others, not into the lights that it is made from. The joint model, seed 0, I-AUROC
of the test captures as they are and disturbed, with its difference to the lights alone and the interval of that, 95 %,
paired over captures. What the result holds is not run again.
"""

import argparse
import json
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from benchmarks.learned import less
from sklearn.metrics import roc_auc_score

from afrd import Inspector, open_dataset
from afrd.capture import Capture
from afrd.datasets import CaptureSet, categories
from afrd.disturb import Disturbance, disturb_capture
from afrd.families import TrainConfig
from afrd.files import write_text
from afrd.imaging.pixels import to_linear
from afrd.training import train

DISTURBED = ("noise:2", "jpeg:90", "blur:0.7", "gain:0.8")
DARK = 0.01  # of the linear scale, added before logarithm and quotient: noise of dark places is no contrast


def log_gradient(light: np.ndarray) -> np.ndarray:
    grey = np.log(light.mean((0, 1)) + DARK).astype(np.float32)
    steep = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(grey, cv2.CV_32F, 0, 1, scale=1 / 8))
    return np.broadcast_to(2 * steep, light.shape[1:])


def chromaticity(light: np.ndarray) -> np.ndarray:
    mean = light.mean(0) + DARK
    return mean / mean.sum(0)


def ratio(light: np.ndarray) -> np.ndarray:
    return (light.max(0) + DARK) / (light.mean(0) + DARK) / len(light)


INPUTS = {"none": None, "log-gradient": log_gradient, "chromaticity": chromaticity, "ratio": ratio}


def with_input(images: np.ndarray, name: str) -> np.ndarray:
    """images: [N, 3, H, W] uint8. [N or N + 1, 3, H, W] uint8."""
    make = INPUTS[name]
    if make is None:
        return images
    made = make(to_linear(images / 255))
    return np.concatenate([images, np.rint(255 * made.clip(0, 1)).astype(np.uint8)[None]])


def written(captures: Iterable[Capture], folder: Path, name: str) -> CaptureSet:
    """Good captures with the input, as a data set's split."""
    for number, capture in enumerate(captures):
        for light, image in enumerate(with_input(capture.images, name)):
            path = folder / "train" / "good" / f"{number:04d}" / f"{light:02d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), image.transpose(1, 2, 0)[..., ::-1])
    return open_dataset(folder, None, "train")


def scores_of(splits: dict[str, CaptureSet], name: str) -> dict[str, list[float]]:
    """By disturbance."""
    with tempfile.TemporaryDirectory() as folder:
        good, held_out = (written(splits[split], Path(folder) / split, name) for split in ("train", "val"))
        train(good, Path(folder) / "run", TrainConfig(fusion="joint"), holdout=held_out)
        inspector = Inspector.load(Path(folder) / "run", check_lights=False)
        return {
            how: [inspector.inspect(with_input(each.images, name)).score for each in disturbed(splits["test"], how)]
            for how in ("as they are", *DISTURBED)
        }


def disturbed(captures: CaptureSet, how: str) -> Iterable[Capture]:
    if how == "as they are":
        return captures
    return (disturb_capture(capture, Disturbance.parse(how)) for capture in captures)


def of_category(splits: dict[str, CaptureSet], inputs: Sequence[str], found: dict) -> dict:
    labels = [bool(label) for label in splits["test"].labels]
    for name in ("none", *inputs):
        if name not in found:
            scores = scores_of(splits, name)
            found[name] = {
                "I-AUROC": {how: round(float(roc_auc_score(labels, each)), 4) for how, each in scores.items()}
            }
            found[name]["scores"] = scores
            found[name]["I-AUROC, less the lights alone"] = {
                how: less(name, labels, scores, found["none"]["scores"][how])
                for how, scores in found[name]["scores"].items()
            }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--categories", nargs="*")
    parser.add_argument("--test-split", default="test")
    parser.add_argument("--inputs", nargs="*", choices=INPUTS, default=list(INPUTS))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "invariant.json")
    arguments = parser.parse_args()
    result = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    for category in arguments.categories or categories(arguments.data):
        names = {"train": "train", "val": "val", "test": arguments.test_split}
        splits = {name: open_dataset(arguments.data, category, split) for name, split in names.items()}
        result[category] = of_category(splits, arguments.inputs, result.get(category, {}))
        write_text(arguments.out, json.dumps(result, indent=1) + "\n")
        print(category, flush=True)


if __name__ == "__main__":
    main()

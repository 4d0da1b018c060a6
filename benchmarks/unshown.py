"""The default model on six kinds of defect that the renderer's data sets do not have.

    python -m benchmarks.unshown DATA --classes CandyCane LicoriceSandwich ChocolateCookie [--parts 8] [--seed 0]
        [--out benchmarks/results/unshown.json] [--pictures FOLDER]

DATA is a set of `afrd render` with its six lights and its camera. The default model learns from a class's train and
val; the good test parts are those of its test_public. The bad ones are rendered here, of DATA's size and with random
streams that no split of it uses, and judged in memory. Of each class and kind: I-AUROC against the good test parts,
with its 95 % interval, P-AUROC likewise, how many of the bad ones are found at the threshold, how many pixels each
mask has. What the result holds of a class is not run again.

What the kinds are, how large, and what was done for the spot that shines is said in `benchmarks/unshown_defects.py`.
They are not all unlike what is known: the renderer's own defects, which the default model never sees, have grooves,
chips with soft edges and smears; its painter has lines, flat ones and in relief. A spot's mask is the whole spot,
though only what mirrors a light shines; on parts that shine anyway it hardly shows.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from benchmarks.by_class import measure_classes
from benchmarks.learned import splits_of
from benchmarks.unshown_defects import KINDS, rendered
from PIL import Image

from afrd import Capture, Inspector, TrainConfig, train
from afrd.evaluation.metrics import image_auroc, pixel_metrics
from afrd.render import CLASSES


def measured(data: Path, name: str, parts: int, seed: int, size: int, pictures: Path | None) -> dict[str, Any]:
    """A class's figures."""
    splits = splits_of(data, name, "test_public")
    with tempfile.TemporaryDirectory() as folder:
        train(
            splits["train"],
            Path(folder) / "run",
            TrainConfig(fusion="auto", false_alarm_rate=0.1),
            holdout=splits["val"],
        )
        inspector = Inspector.load(Path(folder) / "run")
    good = [inspector.inspect_capture(capture) for capture in splits["test"] if not capture.anomalous]
    found = {"good called anomalous": f"{sum(one.anomalous for one in good)} of {len(good)}"}
    for kind in KINDS:
        bad, masks = [], []
        for index in range(parts):
            seen, mask = rendered(name, kind, index, seed, size)
            images = np.stack(list(seen.images.values()))
            capture = Capture(f"{kind} {index}", images.transpose(0, 3, 1, 2).copy(), splits["train"].lights)
            bad.append(inspector.inspect_capture(capture))
            masks.append(mask)
            if pictures:
                pictures.mkdir(parents=True, exist_ok=True)
                shown = [*images[[0, 2, 4, 5]], np.repeat(mask[..., None] * np.uint8(255), 3, 2)]
                Image.fromarray(np.concatenate(shown, 1)).save(pictures / f"{name}_{kind}_{index}.png")
        both = [*good, *bad]
        every = [*[np.zeros((size, size), bool)] * len(good), *masks]
        by_image = image_auroc([False] * len(good) + [True] * parts, [one.score for one in both])
        by_pixel, _ = pixel_metrics([one.anomaly_map for one in both], every)
        found[kind] = {
            what: [None if value is None else round(value, 4) for value in (area.value, area.low, area.high)]
            for what, area in (("I-AUROC", by_image), ("P-AUROC", by_pixel))
        }
        found[kind] |= {
            "found": f"{sum(one.anomalous for one in bad)} of {parts}",
            "pixels": [int(mask.sum()) for mask in masks],
        }
        print(name, kind, found[kind], flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--classes", nargs="+", choices=list(CLASSES), required=True)
    parser.add_argument("--parts", type=int, default=8, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "unshown.json")
    parser.add_argument("--pictures", type=Path, help="keep the bad parts here under four of the lights, and the mask")
    options = parser.parse_args()
    recipe = yaml.safe_load((options.data / "render.yaml").read_text())
    if not recipe.get("camera") or "rig" in recipe:
        parser.error(f"{options.data}: not rendered under the six lights with the camera")
    parts, seed, size = options.parts, options.seed, recipe["size"]
    measure_classes(
        options.out,
        options.classes,
        lambda name: measured(options.data, name, parts, seed, size, options.pictures),
        parts=parts,
        seed=seed,
        recipe=recipe,
    )


if __name__ == "__main__":
    main()

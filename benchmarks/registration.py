"""How exactly shifts between lights are found: rendered parts shifted by known amounts, and real photographs.

    afrd render captures --train 2 --val 0 --test 0 --seed 3
    python benchmarks/registration.py captures [--flats FOLDER] [--out benchmarks/results/registration.json]

Rendered: each light of each capture is shifted by up to 2 px each way (Lanczos), freely and along one velocity; the
error is the distance between the shift found and the one made. Real: materials under nine lights, one file of 3 × 3
pictures each (`flats`), whose shifts nobody knows. There the shifts are measured by another method, scikit-image's
upsampled phase correlation of gradient magnitudes against the mean of the other lights, before and after registration.
"""

import argparse
import json
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from skimage.registration import phase_cross_correlation

from afrd.datasets import categories, open_dataset
from afrd.imaging.motion import at_constant_velocity
from afrd.imaging.registration import estimate_shifts, move_back

MOST, CAPTURES = 2.0, 2  # captures of each class


def shifted(images: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """[N, C, H, W] uint8, each light moved by x, y px."""
    moved = np.empty_like(images)
    for light, into, (x, y) in zip(images, moved, shifts, strict=True):
        for channel, target in zip(light, into, strict=True):
            matrix = np.float32([[1, 0, x], [0, 1, y]])
            options = {"flags": cv2.INTER_LANCZOS4, "borderMode": cv2.BORDER_REFLECT}
            target[...] = cv2.warpAffine(channel, matrix, channel.shape[::-1], **options)
    return moved


def rendered(data: Path) -> dict[str, dict]:
    """Per class and over all: median and 95th percentile of the error, px."""
    rng, errors = np.random.default_rng(0), {"free": {}, "constant": {}}
    for name in categories(data):
        for capture in list(open_dataset(data, name, "train"))[:CAPTURES]:
            n = len(capture.images)
            free = rng.uniform(-MOST, MOST, (n, 2))
            velocity = rng.uniform(-MOST, MOST, 2)
            for kind, made in (("free", free), ("constant", (np.arange(n) - (n - 1) / 2)[:, None] * velocity)):
                made = made - made.mean(0)
                found, _ = estimate_shifts(shifted(capture.images, made))
                if kind == "constant":
                    found = at_constant_velocity(found)
                    found = found - found.mean(0)
                errors[kind].setdefault(name, []).extend(np.linalg.norm(found - made, axis=1))
        print(name, {kind: summary(of[name]) for kind, of in errors.items()}, flush=True)
    return {
        kind: {name: summary(values) for name, values in of.items()} | {"all": summary(list(chain(*of.values())))}
        for kind, of in errors.items()
    }


def summary(errors: list[float]) -> dict[str, float]:
    return {"median": round(float(np.median(errors)), 3), "95 %": round(float(np.quantile(errors, 0.95)), 3)}


def flats(folder: Path) -> dict[str, dict]:
    """Per material: median distance of a light from the others, px, before and after."""
    found = {}
    for path in sorted(folder.glob("*.jpg")):
        sheet = np.asarray(Image.open(path).convert("L"))
        side = sheet.shape[0] // 3
        images = np.stack(
            [sheet[y : y + side, x : x + side] for y in range(0, 3 * side, side) for x in range(0, 3 * side, side)]
        )
        shifts, agreement = estimate_shifts(images[:, None])
        before, after = measured(images), measured(move_back(images[:, None], shifts)[:, 0])
        found[path.stem] = {"before": before, "after": after, "least agreement": round(float(agreement.min()), 2)}
        print(path.stem, found[path.stem], flush=True)
    return found


def measured(images: np.ndarray) -> float:
    """Median over lights of the shift against the mean of the others, as scikit-image finds it, px."""
    side = images.shape[-1]
    middle = slice(side // 2 - 192, side // 2 + 192)
    edges = []
    for image in images[:, middle, middle]:
        smooth = cv2.GaussianBlur(np.log(image / 255 + 0.02).astype(np.float32), (0, 0), 1)
        edges.append(np.hypot(cv2.Scharr(smooth, cv2.CV_32F, 1, 0), cv2.Scharr(smooth, cv2.CV_32F, 0, 1)))
    window, total = np.outer(np.hanning(384), np.hanning(384)), np.sum(edges, 0)
    distances = []
    for edge in edges:
        others = (total - edge) / (len(edges) - 1)
        pair = [(each - each.mean()) * window for each in (others, edge)]
        distances.append(np.linalg.norm(phase_cross_correlation(*pair, upsample_factor=20, normalization=None)[0]))
    return round(float(np.median(distances)), 2)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--flats", type=Path)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/registration.json"))
    arguments = parser.parse_args()
    result = {"rendered": rendered(arguments.data)}
    if arguments.flats:
        result["flats"] = flats(arguments.flats)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result["rendered"], indent=1))

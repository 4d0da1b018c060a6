"""Photometric normals against the renderer's true ones: angle error in degrees on the part, per class.

    python benchmarks/normals.py DATA > benchmarks/results/normals.json

DATA: rendered classes, as `afrd render` writes them, with `lights.yaml`; near lights have the distance that it says,
and `near lights, linear, 3 rounds` is what `afrd views` computes. Good captures of the test split, the first `CAPTURES`
per class. Pixels are the part's: nearer to the camera than the belt. Per class, means over captures of each capture's
mean and median; `facing the camera` is the error of no knowledge at all, normal = (0, 0, 1) everywhere.
"""

import json
import sys
from pathlib import Path

import numpy as np
import yaml

from afrd.capture import LightRig
from afrd.datasets.images import read_image
from afrd.datasets.lights import read_lights
from afrd.errors import DatasetError
from afrd.render.stage import CAMERA_HEIGHT
from afrd.views import stereo_of
from afrd.views.directions import estimated_directions
from afrd.views.photometric import PhotometricStereo

CAPTURES, SPLIT = 10, "test_public"
VIEWED = "near lights, linear, 3 rounds"
_BELT = CAMERA_HEIGHT / 100 - 2e-5  # metres from the camera, less the step of the depth map


def coded(data: Path, name: str, lights: int) -> np.ndarray:
    """[N, 3, H, W] uint8 of one capture."""
    return np.stack([read_image(data / f"{name}_image_{k}.png") for k in range(lights)])


def read(data: Path, name: str, lights: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One capture: images [N, 3, H, W] in 0..1, true normals [3, H, W], the part [H, W]."""
    images = coded(data, name, lights) / np.float32(255)
    normals = read_image(data / f"{name}_normals.png") / np.float32(127.5) - 1
    scale = yaml.safe_load((data / f"{name}_info_depth.yaml").read_text())["normalization"]
    depth = read_image(data / f"{name}_depth.png")[0] / 65535
    part = scale["min"] + depth * (scale["max"] - scale["min"]) < _BELT
    return images, normals / np.linalg.norm(normals, axis=0), part


def degrees(found: np.ndarray, true: np.ndarray, part: np.ndarray) -> list[float]:
    """Mean and median angle between unit normals [3, H, W] on the part."""
    error = np.degrees(np.arccos((found * true).sum(0)[part].clip(-1, 1)))
    return [float(error.mean()), float(np.median(error))]


def good_captures(data: Path) -> list[str]:
    names = sorted(path.name.removesuffix("_normals.png") for path in data.glob("*_normals.png"))
    good = [n for n in names if not yaml.safe_load((data / f"{n}_metadata.yaml").read_text())["anomalous"]]
    return good[:CAPTURES]


def main(folder: Path) -> None:
    rig = read_lights(folder / "lights.yaml")
    if rig.distances is None:
        raise DatasetError(f"{folder / 'lights.yaml'}: no light has a distance; render it again, which adds it")
    methods = {
        f"{'near' if distance else 'far'} lights, {'linear' if srgb else 'sRGB coded'}, {rounds or 'no'} rounds": (
            PhotometricStereo(rig.directions, distance=distance, srgb=srgb, rounds=rounds)
        )
        for distance in (None, rig.distances)
        for srgb in (False, True)
        for rounds in (0, 3)
    }
    methods[VIEWED] = stereo_of(rig)
    # the wrong frame must be visibly wrong, or the numbers above mean nothing
    upside_down = PhotometricStereo([(x, -y, z) for x, y, z in rig.directions], rounds=0)
    classes = {}
    for data in sorted(folder.glob(f"*/{SPLIT}/data")):
        errors: dict[str, list[list[float]]] = {}
        captures = good_captures(data)
        estimated = stereo_of(
            LightRig(rig.names, estimated_directions(coded(data, name, len(rig)) for name in captures))
        )
        for name in captures:
            images, true, part = read(data, name, len(rig))
            answers = {method: stereo(images).normals for method, stereo in methods.items()}
            answers["y upside down: far lights, linear, no rounds"] = upside_down(images).normals
            answers["estimated directions, linear, 3 rounds"] = estimated(images).normals
            answers["facing the camera"] = np.broadcast_to(np.array([0.0, 0.0, 1.0])[:, None, None], true.shape)
            for method, found in answers.items():
                errors.setdefault(method, []).append(degrees(found, true, part))
        materials = [yaml.safe_load((data / f"{name}_obj_params.yaml").read_text())["material"] for name in captures]
        classes[data.parent.parent.name] = {
            "captures": len(captures),
            "material": {key: round(float(np.mean([m[key] for m in materials])), 3) for key in materials[0]},
            **{method: _both(np.mean(found, 0)) for method, found in errors.items()},
        }
    methods_named = [key for key in next(iter(classes.values())) if key not in ("captures", "material")]
    over = {m: _both(np.mean([list(c[m].values()) for c in classes.values()], 0)) for m in methods_named}
    print(
        json.dumps(
            {"distance_in_widths": round(float(np.nanmean(rig.distances)), 3), "mean_over_classes": over, **classes},
            indent=1,
        )
    )


def _both(values: np.ndarray) -> dict[str, float]:
    return {"mean": round(float(values[0]), 2), "median": round(float(values[1]), 2)}


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""One rendered object as the files of an Eyecandies sample, whole or not at all.

The files are made in a folder of their own and then moved into place one by one, `<idx>_image_0.png` last: a sample
whose `image_0` is there is complete, any other is made again. Knows no renderer and no classes.
"""

import shutil
from pathlib import Path

import cv2
import numpy as np
import yaml

from afrd.render.defects import KINDS
from afrd.render.sample import Rendered
from afrd.render.stage import CAMERA_HEIGHT, FOCAL, pose

LAST = "image_0.png"
"""The item that is moved into place last."""

_WIDTH = {"train": 3, "val": 2, "test_public": 2, "test_private": 3}


def sample_name(split: str, index: int) -> str:
    """The index as file names carry it, zero-padded as in Eyecandies."""
    return f"{index:0{_WIDTH[split]}d}"


def write_sample(rendered: Rendered, folder: Path, name: str, partial: Path, labelled: bool) -> None:
    """Writes `<name>_<item>` for the items of a sample into `folder`; `partial` is a folder of its own for the making.

    labelled: False leaves out metadata, masks and scene parameters, as Eyecandies' private test split does.
    """
    if partial.exists():
        shutil.rmtree(partial)
    partial.mkdir(parents=True)
    _items(rendered, partial, labelled)
    folder.mkdir(parents=True, exist_ok=True)
    items = sorted(path.name for path in partial.iterdir() if path.name != LAST)
    for item in [*items, LAST]:
        (partial / item).replace(folder / f"{name}_{item}")
    partial.rmdir()


def _items(rendered: Rendered, to: Path, labelled: bool) -> None:
    exposure = rendered.exposure
    for i, image in enumerate(exposure.images.values()):
        _png(to / f"image_{i}.png", image[..., ::-1])
    low, high = float(exposure.depth.min()), float(exposure.depth.max())
    low, high = np.floor(low * 1e5) / 1e5, np.ceil(high * 1e5) / 1e5  # short numbers in the YAML file, and exact ones
    _png(to / "depth.png", np.round((exposure.depth - low) / (high - low) * 65535).astype(np.uint16))
    _yaml(to / "info_depth.yaml", {"normalization": {"min": float(low), "max": float(high)}})
    _png(to / "normals.png", encode_normals(exposure.normals)[..., ::-1])
    (to / "pose.txt").write_text("\n".join(" ".join(f"{v:.6f}" for v in row) for row in pose()) + "\n")
    if not labelled:
        return
    anomalous = int(bool(rendered.kinds))
    _yaml(to / "metadata.yaml", {"anomalous": anomalous, **{kind: int(kind in rendered.kinds) for kind in KINDS}})
    for kind in KINDS:
        _png(to / f"{kind}_mask.png", rendered.masks[kind].astype(np.uint8) * 255)
    _png(to / "mask.png", np.any([rendered.masks[kind] for kind in KINDS], axis=0).astype(np.uint8) * 255)
    material = {key: round(float(value), 4) for key, value in vars(rendered.material).items()}
    defects = [{**vars(defect), "place": list(defect.place)} for defect in rendered.defects]
    camera = {"height_m": CAMERA_HEIGHT / 100, "focal_px": round(FOCAL * exposure.depth.shape[0], 2)}
    _yaml(to / "obj_params.yaml", {"camera": camera, "material": material, "defects": defects})


def encode_normals(normals: np.ndarray) -> np.ndarray:
    """Unit normals [H, W, 3] in the camera's frame (x right, y up, z to the camera) as RGB: (n + 1) / 2 · 255."""
    return np.round((np.clip(normals, -1, 1) + 1) / 2 * 255).astype(np.uint8)


def _png(path: Path, image: np.ndarray) -> None:
    done, buffer = cv2.imencode(".png", image)
    if not done:
        raise OSError(f"{path}: cannot encode the image as PNG")
    path.write_bytes(buffer.tobytes())


def _yaml(path: Path, content: dict) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False))

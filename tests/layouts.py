"""Miniatures of public multi-light data sets, each in its own layout, with the arrays that were written."""

import json
from pathlib import Path

import numpy as np

from captures import make_capture, write_image

AD2_LIGHTS = ("overexposed", "regular", "shift_1", "underexposed")


def write_m2ad(
    root: Path, name: str = "Bird", good: int = 10, bad: int = 4, views: int = 2, lights: int = 3, size: int = 32
) -> dict[str, np.ndarray]:
    """Returns `<folder>-<part>-<view>` → images. Of a bad part only the last view shows the defect."""
    rng, written = np.random.default_rng(0), {}
    for kind, count in (("Good", good), ("NG", bad)):
        for part in range(count):
            for view in range(1, views + 1):
                shown = kind == "NG" and view == views
                images, mask = make_capture(rng, lights, size, shown)
                folder = root / name / kind / f"{name.lower()}_{part:03d}"
                for k, image in enumerate(images, 1):
                    write_image(folder / f"V{view:03d}_L{k:02d}.png", image)
                if shown or (kind == "NG" and part % 2):  # some views without a defect have an empty mask
                    write_image(root / name / "GT" / folder.name / f"V{view:03d}_mask.png", mask)
                    write_image(root / name / "GT" / folder.name / f"V{view:03d}_seg.png", images[0])
                written[f"{kind}-{folder.name}-{view:03d}"] = images
    return written


def write_psad(root: Path, name: str = "cap", size: int = 32, lights: int = 4) -> dict[str, np.ndarray]:
    rng, written = np.random.default_rng(0), {}
    for split, label, count in (("train", "good", 8), ("test", "good", 3), ("test", "dent", 3)):
        for index in range(count):
            images, mask = make_capture(rng, lights, size, label != "good")
            folder = root / name / split / label / f"{index:03d}"
            for k, image in enumerate(images, 1):
                write_image(folder / f"{k}.png", image)
            for other in ("normal", "albedo", "curvature"):
                write_image(folder / f"{other}.png", images[0])
            (folder / "light_directions.txt").write_text("2 0 2\n0 1 1\n-1 0 1\n0 -1 1\n")
            if label != "good":
                write_image(root / name / "ground_truth" / label / f"{index:03d}.png", mask)
            written[f"{split}/{label}-{index:03d}"] = images
    return written


def write_mvtec_ad2(root: Path, name: str = "vial", size: int = 32, lights: tuple[str, ...] = ("regular",)) -> None:
    """Learned from under `lights`, tried under all."""
    rng = np.random.default_rng(0)
    test = ("test_public/good", AD2_LIGHTS, 2, False), ("test_public/bad", AD2_LIGHTS, 2, True)
    private = ("test_private", ("regular",), 2, False), ("test_private_mixed", AD2_LIGHTS[:1], 1, False)
    for place, under, count, bad in (
        ("train/good", lights, 8, False),
        ("validation/good", lights, 4, False),
        *test,
        *private,
    ):
        for index in range(count):
            images, mask = make_capture(rng, len(AD2_LIGHTS), size, bad)
            for light, image in zip(AD2_LIGHTS, images, strict=True):
                if light not in under:
                    continue
                stem = f"{index:03d}_{light}"
                write_image(root / name / place / f"{stem}.png", image)
                if bad:
                    write_image(root / name / "test_public/ground_truth/bad" / f"{stem}_mask.png", mask)


def write_real_iad_d3(root: Path, name: str = "fuse_holder", size: int = 32, lights: int = 4) -> Path:
    """Returns the folder to open."""
    rng, lists, raw = np.random.default_rng(0), {}, root / "realiad_d3_raw"
    for split, label, count in (
        ("train", "OK", 8),
        ("validation", "OK", 3),
        ("test", "OK", 3),
        ("test", "scratch", 3),
    ):
        for index in range(count):
            images, mask = make_capture(rng, lights, size, label != "OK")
            folder = f"{split}/{label}/rgb/S{index:04d}"
            for k, image in enumerate(images, 1):
                write_image(raw / name / folder / f"{name}_S{index:04d}_L{k:02d}_RGB.png", image)
            entry = {"image_path": f"{folder}/{name}_S{index:04d}_L01_RGB.png", "anomaly_class": label}
            entry |= {"ps_path": f"{folder}/ps.png", "xyz_path": f"{folder}/x.tiff"}
            if label != "OK":
                entry["mask_path"] = f"{split}/{label}/gt/S{index:04d}.png"
                write_image(raw / name / entry["mask_path"], mask)
            lists.setdefault(split, []).append(entry)
    (root / "realiad_d3_jsons").mkdir(parents=True)
    text = json.dumps({"meta": {"prefix": f"{name}/"}, **lists})
    (root / "realiad_d3_jsons" / f"{name}.json").write_text(text)
    return raw


def write_vision(root: Path, name: str = "Ring", size: int = 32, good: int = 10) -> None:
    """Defects as a square polygon, rows 8 to 15 and columns 4 to 19; in one image as run lengths."""
    rng = np.random.default_rng(0)
    square = {"segmentation": [[4, 8, 20, 8, 20, 16, 4, 16]], "category_id": 7}
    counts = [4 * size + 8]
    for _ in range(16):
        counts += [8, size - 8]
    counts[-1] = size * size - sum(counts[:-1])
    runs = {"segmentation": {"size": [size, size], "counts": counts}, "category_id": 7}
    for split, clean, bad in (("train", good, 2), ("val", 3, 3)):
        images, annotations = [], []
        for index in range(clean + bad):
            write_image(root / name / split / f"{index:06d}.png", make_capture(rng, 1, size)[0][0])
            images.append({"id": index, "file_name": f"{index:06d}.png", "height": size, "width": size})
            if index >= clean:
                annotations.append({"image_id": index, **(runs if index == clean else square)})
        text = {"images": images, "annotations": annotations, "categories": [{"id": 7, "name": "scratch"}]}
        (root / name / split / "_annotations.coco.json").write_text(json.dumps(text))
    write_image(root / name / "inference" / "000000.png", make_capture(rng, 1, size)[0][0])


def write_light_folders(root: Path, name: str = "scene_1", size: int = 32) -> dict[str, np.ndarray]:
    rng, written = np.random.default_rng(0), {}
    for split, label, count in (("train", "good", 8), ("test", "good", 3), ("test", "abnormal", 3)):
        for index in range(count):
            images, mask = make_capture(rng, 3, size, label != "good")
            for light, image in zip(("low", "medium", "high"), images, strict=True):
                write_image(root / name / light / split / label / f"{index:03d}.png", image)
                if label != "good":
                    write_image(root / name / light / "ground_truth" / label / f"{index:03d}_mask.png", mask)
            written[f"{split}/{label}-{index:03d}"] = images
    (root / name / "lights.yaml").write_text("lights: [{name: low}, {name: medium}, {name: high}]\n")
    return written

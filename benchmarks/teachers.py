"""The magnetic tiles with each teacher: `nearest` on three draws of the good parts, and the teachers' scores summed.

    python benchmarks/teachers.py TILE --work DIR [--looks TEACHER:SIZE …] [--draws 0 1 2] [--out FILE]

TILE: one category in the layout of a user's own folders. --looks: teachers, each with the side that captures are
resized to; DINOv2 reads 14/8 of it. Every capture is read once a look, its vectors stay in DIR (what is there
is not read again), and each draw (benchmarks/splits.py) learns from those of its good parts. I-AUROC of both measures,
of each alone, and of two teachers' scores added: each is in units of held-out good parts already. --out is
results/real/teachers.json.
"""

import argparse
import json
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from benchmarks.splits import dealt, good_parts
from sklearn.metrics import roc_auc_score

from afrd import open_dataset
from afrd.files import atomic_path, write_text
from afrd.imaging.resizing import resize
from afrd.model.nearest import NearestPatches

LOOKS = ("efficientnet_lite0:384", "dinov2_vits14:128", "dinov2_vits14:192", "dinov2_vits14:256")
OUT = Path(__file__).parent / "results" / "real" / "teachers.json"
SPLITS = ("train", "val", "test")


def model_of(look: str, lights: int) -> NearestPatches:
    teacher, _, size = look.partition(":")
    return NearestPatches(teacher, None, lights, int(size))


@torch.inference_mode()
def read(tile: Path, look: str, work: Path) -> tuple[dict[str, Path], list[Path]]:
    """The vectors of every good part by its folder's name, and of the bad ones, as files."""
    captures = {split: open_dataset(tile, None, split) for split in SPLITS}
    model = model_of(look, len(captures["train"].lights))
    # of the good parts of the split as it lies; the exposures' order by brightness is the same in any draw
    bright = [capture.images.mean((1, 2, 3)) for capture in captures["train"]]
    model.order(torch.tensor(np.mean(bright, axis=0, dtype=np.float32)))
    good, bad = {}, []
    work.mkdir(parents=True, exist_ok=True)
    for split, each in captures.items():
        for i, record in enumerate(each.records):
            path = work / f"{split}-{record.id.replace('/', '_')}.npy"
            if record.anomalous:
                bad.append(path)
            else:
                good[record.images[0].parent.name] = path
            if not path.exists():
                square = torch.from_numpy(resize(each[i].images, (model.image_size,) * 2))[None]
                vectors = model.describe(model.see(model.prepare(square)))[0]
                with atomic_path(path) as temporary, temporary.open("wb") as file:
                    np.save(file, vectors.half().numpy())
    return good, bad


@torch.inference_mode()
def said(look: str, lights: int, parts: dict[str, list[Path]], files: dict[str, Path], bad: list[Path]):
    """What both measures say of good and of bad test captures, in units of held-out parts, [K, 2] each."""
    model = model_of(look, lights)
    model.describe = lambda vectors: vectors  # which is what the files hold

    def vectors(paths):
        return (torch.from_numpy(np.load(path)).float()[None] for path in paths)

    names = {split: [path.name for path in paths] for split, paths in parts.items()}
    model.fit(vectors(files[name] for name in names["train"]), len(names["train"]))
    held_out, good, worse = (
        torch.cat([model.say(each) for each in vectors(paths)])
        for paths in ([files[n] for n in names["val"]], [files[n] for n in names["test"]], bad)
    )
    model.standardise(held_out, names["val"])
    return tuple(((each - model.middle) / model.spread).numpy() for each in (good, worse))


def auroc(good: np.ndarray, bad: np.ndarray) -> float:
    labels = np.repeat([0, 1], [len(good), len(bad)])
    return round(float(roc_auc_score(labels, np.concatenate([good, bad]))), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tile", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--looks", nargs="+", default=LOOKS)
    parser.add_argument("--draws", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    parts, lights = good_parts(arguments.tile), len(open_dataset(arguments.tile, None, "train").lights)
    files = {look: read(arguments.tile, look, arguments.work / look.replace(":", "-")) for look in arguments.looks}
    draws = {}
    for seed in arguments.draws:
        dealt_parts = dealt(parts, seed)
        by_look = {look: said(look, lights, dealt_parts, *files[look]) for look in arguments.looks}
        rows = {
            look: {
                "both": auroc(good.max(1), bad.max(1)),
                "nearest": auroc(good[:, 0], bad[:, 0]),
                "Gaussian": auroc(good[:, 1], bad[:, 1]),
            }
            for look, (good, bad) in by_look.items()
        }
        for one, other in combinations(by_look, 2):
            if one.partition(":")[0] != other.partition(":")[0]:
                good, bad = (sum(by_look[look][k].max(1) for look in (one, other)) for k in (0, 1))
                rows[f"{one} + {other}"] = {"both": auroc(good, bad)}
        draws[str(seed)] = rows
        print(seed, json.dumps(rows), flush=True)
    command = f"benchmarks/teachers.py TILE --looks {' '.join(arguments.looks)}"
    write_text(arguments.out, json.dumps({"command": command, "draws": draws}, indent=1) + "\n")


if __name__ == "__main__":
    main()

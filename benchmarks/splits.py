"""Further draws of a data set: its good parts dealt anew to train, val and test, as many as before; bad ones stay.

    python benchmarks/splits.py DATA OUT --seeds 1 2

DATA: one category in the layout of a user's own folders (train, val and test with good/<id>/). OUT/<name>-draw<seed>
holds links to its captures; <name>-draw0 is DATA as it lies. Nothing is copied: DATA has to stay where it is.
"""

import argparse
import shutil
from pathlib import Path

import numpy as np

SPLITS = ("train", "val", "test")


def good_parts(data: Path) -> dict[str, list[Path]]:
    """Folders of good parts by split, sorted. Exits where the data set has none, or the same id twice."""
    found = {split: sorted(p for p in (data / split / "good").glob("*") if p.is_dir()) for split in SPLITS}
    if not found["train"] or not found["test"]:
        raise SystemExit(f"{data}: no good parts in train/good/<id>/ and test/good/<id>/; give one category")
    names = [path.name for paths in found.values() for path in paths]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SystemExit(f"{data}: good part {twice[0]} is in two splits; give every part its own id")
    return found


def dealt(parts: dict[str, list[Path]], seed: int) -> dict[str, list[Path]]:
    """The same parts in other splits, as many in each as before; seed 0 leaves them where they are."""
    if seed == 0:
        return parts
    every = [path for paths in parts.values() for path in paths]
    order = np.random.default_rng(seed).permutation(len(every))
    ends = np.cumsum([len(paths) for paths in parts.values()])
    return {
        split: sorted(every[i] for i in drawn) for split, drawn in zip(parts, np.split(order, ends[:-1]), strict=True)
    }


def write_draw(data: Path, out: Path, parts: dict[str, list[Path]]) -> None:
    """Links to the good parts, as dealt, and to everything else; what an earlier start left in `out` is replaced."""
    shutil.rmtree(out, ignore_errors=True)
    for split, paths in parts.items():
        (out / split / "good").mkdir(parents=True, exist_ok=True)
        for path in paths:
            (out / split / "good" / path.name).symlink_to(path.resolve())
    for other in [*data.glob("test/*"), data / "masks", data / "lights.yaml"]:
        if other.exists() and other.name != "good":
            (out / other.relative_to(data)).symlink_to(other.resolve())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    parts = good_parts(arguments.data)
    for seed in arguments.seeds:
        out = arguments.out / f"{arguments.data.resolve().name}-draw{seed}"
        write_draw(arguments.data, out, dealt(parts, seed))
        print(out)


if __name__ == "__main__":
    main()

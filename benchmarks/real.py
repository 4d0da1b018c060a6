"""The real bench: every method of suites/real.yaml on real captures, as they are and disturbed. Stopped, it continues.

    python benchmarks/real.py --tile DIR --flats DIR --work DIR [--sets tile flats flats-strong] [--methods …]

--tile: magnetic tiles under six exposures (Huang et al. 2018) in the layout of a user's own folders; run as they are
split, and in two other draws (benchmarks/splits.py, seeds 1 and 2). --flats: sheets of flat materials (see
benchmarks/flats.py, seed 0): faint blobs as "flats", strong ones as "flats-strong". --work: where data sets are made.
Raw results and tables go to results/real/<set>/; pictures do not.

A class after the other: its features, a few GB beside the results, are deleted before the next ones are written. Other
options, such as --workers, are handed on to `afrd benchmark`.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from afrd.datasets import categories

HERE = Path(__file__).parent
SETTINGS = ("--split", "test", "--epochs", "40")


def made(name: str, tile: Path | None, flats: Path | None, work: Path) -> Path:
    """The data set of that name in `work`, made unless it is there."""
    data = work / name
    if data.is_dir():
        return data
    source = tile if name == "tile" else flats
    if source is None:
        raise SystemExit(f"{name}: give its source with --{'tile' if name == 'tile' else 'flats'}")
    new = work / f"{name}.new"
    shutil.rmtree(new, ignore_errors=True)
    if name == "tile":
        command = ["splits.py", source, new, "--seeds", "0", "1", "2"]
    else:
        command = ["flats.py", source, new, "--blobs", "strong" if name == "flats-strong" else "faint"]
    subprocess.run([sys.executable, HERE / command[0], *map(str, command[1:])], check=True)
    new.rename(data)
    return data


def run(data: Path, out: Path, suite: Path, more: list[str]) -> int:
    """Returns how many classes had a failed job."""
    failed = 0
    for category in categories(data):
        command = ["benchmark", suite, "--data", data, "--out", out, "--classes", category, *SETTINGS, *more]
        failed += subprocess.run([sys.executable, "-m", "afrd", *map(str, command)]).returncode != 0
        shutil.rmtree(out / "features", ignore_errors=True)
    subprocess.run([sys.executable, "-m", "afrd", "benchmark", "tables", str(out)], check=True)
    return failed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tile", type=Path)
    parser.add_argument("--flats", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", choices=("tile", "flats", "flats-strong"), default=["tile", "flats"])
    parser.add_argument("--suite", type=Path, default=HERE / "suites" / "real.yaml")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "real")
    arguments, more = parser.parse_known_args()
    failed = 0
    for name in arguments.sets:
        data = made(name, arguments.tile, arguments.flats, arguments.work)
        failed += run(data, arguments.out / name, arguments.suite, more)
    raise SystemExit(f"failed jobs in {failed} classes; see above" if failed else 0)


if __name__ == "__main__":
    main()

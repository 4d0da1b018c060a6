"""All of it on a quiet machine, one after another: `python -m benchmarks.speed`.

Exported models are made once, in a folder that goes afterwards (or --artefacts). What is in benchmarks/results/speed
already is taken again; a name limits it: `python -m benchmarks.speed inference peers`.
"""

import subprocess
import sys
from pathlib import Path

from benchmarks.speed.measure import arguments, artefact_folder, progress

from afrd.files import atomic_path

NAMES = ("start", "inference", "peers", "training", "growth")
RESULTS = Path("benchmarks/results/speed")


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all without one")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"{', '.join(sorted(unknown))}: choose of {', '.join(NAMES)}")
    with artefact_folder(options.artefacts) as folder:
        for name in options.names or NAMES:
            progress(name)
            command = [sys.executable, "-m", f"benchmarks.speed.{name}", "--artefacts", str(folder)]
            with atomic_path(options.out / f"{name}.json") as temporary, temporary.open("w") as file:
                subprocess.run([*command, *(["--quick"] if options.quick else [])], stdout=file, check=True)


if __name__ == "__main__":
    main()

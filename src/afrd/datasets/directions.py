"""`light_directions.txt`, as photometric-stereo data sets write it: a line "x y z" a light, from the part towards it.

x right, y up, z to the camera, any length; the lights are in the order of their numbers.
"""

import math
from pathlib import Path

from afrd.datasets.problems import ProblemError

DIRECTIONS_FILE = "light_directions.txt"
_FIX = 'write one line "x y z" for each light, in the order of their numbers'


def read_directions(path: Path, lights: int) -> tuple[tuple[float, float, float], ...]:
    """Unit vectors. Raises ProblemError naming the line: no direction; or another number of them than of lights."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ProblemError(path, f"cannot be read ({error})", _FIX) from error
    found = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            found.append(_unit(line, f"line {number}", path))
    if len(found) != lights:
        raise ProblemError(path, f"{len(found)} directions for {lights} lights", _FIX)
    return tuple(found)


def _unit(line: str, where: str, path: Path) -> tuple[float, float, float]:
    try:
        x, y, z = map(float, line.replace(",", " ").split())
        length = math.hypot(x, y, z)
    except ValueError:
        length = math.nan
    if not 0 < length < math.inf:
        raise ProblemError(path, f"{where}: {line.strip()!r} is no direction", _FIX)
    return (x / length, y / length, z / length)

"""Imports go down the floors of docs/architecture.md, and what a station installs needs none of the extras."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import afrd

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "afrd"


def floors() -> dict[str, int]:
    """Package or module → its floor, from the table of the page."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| (\d) \| ([^|]+) \|", page, re.MULTILINE)
    return {name: int(floor) for floor, names in table for name in re.findall(r"`([a-z_]+)`", names)}


def imports(path: Path) -> set[str]:
    """Packages of afrd that a file imports when it is loaded."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("afrd."):
            found.add(node.module.split(".")[1])
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("afrd.")}
    return found


def test_every_package_stands_on_one_floor():
    packages = {path.stem for path in SOURCE.iterdir() if path.stem.strip("_") not in ("init", "main", "pycache", "py")}
    assert {name for name in packages if not name.startswith("__")} == set(floors())


def test_what_has_a_public_name_is_typed_strictly():
    strict = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]["files"]
    homes = {getattr(afrd, name).__module__ for names in afrd._HOMES.values() for name in names}
    assert {f"src/{home.replace('.', '/')}.py" for home in homes} - set(strict) == set()


def test_no_file_has_more_than_300_lines():
    files = [path for folder in ("src", "tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    assert [str(path) for path in files if len(path.read_text(encoding="utf-8").splitlines()) > 300] == []


def test_imports_go_down():
    floor = floors()
    upwards = []
    for path in SOURCE.rglob("*.py"):
        name = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        if name in floor:
            upwards += [
                f"{path.relative_to(SOURCE)} → {other}" for other in imports(path) if floor[other] > floor[name]
            ]
    assert upwards == []


def test_a_station_starts_without_what_is_slow_to_import():
    slow = ("torch", "timm", "scipy", "matplotlib", "sklearn", "pandas", "pyarrow", "alembic")
    code = (
        "import sys, afrd.station.app, afrd.runtimes.onnx_runtime; "
        f"print([module for module in {slow} if module in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

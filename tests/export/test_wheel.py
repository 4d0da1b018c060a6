"""What a station installs: the wheel and a runtime, in an environment of its own, without torch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from afrd.inspector import Inspector

ROOT = Path(__file__).parents[2]


def run(*command: object) -> str:
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=clean)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def station(tmp_path_factory) -> Path:
    """The programs of an environment with nothing but the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT)
    (wheel,) = folder.glob("afrd-*.whl")
    run(sys.executable, "-m", "venv", folder / "venv")
    programs = folder / "venv" / "bin"
    run(programs / "pip", "install", "--quiet", "--no-compile", "-c", ROOT / "constraints.txt", wheel, "onnxruntime")
    return programs


@pytest.mark.slow
def test_the_installed_wheel_inspects_without_torch(station, exported, tiny, good, tmp_path):
    asked = "from importlib.util import find_spec; import afrd; print(find_spec('torch'), afrd.__file__)"
    torch, where = run(station / "python", "-c", asked).split()
    assert torch == "None" and Path(where).is_relative_to(station.parent)
    assert Path(where).with_name("py.typed").is_file()
    artefact, lines = exported("attention", "onnx").files[-1], tmp_path / "lines.jsonl"
    run(station / "afrd", "predict", artefact, tiny / "Confetto/train", "--out", tmp_path / "out", "--jsonl", lines)
    scores = [json.loads(line)["score"] for line in lines.read_text().splitlines()]
    inspector = Inspector.load(artefact)
    assert scores == [inspector.inspect_capture(capture).score for capture in good]

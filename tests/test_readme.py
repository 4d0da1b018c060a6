"""The README's commands are run, with fewer captures and epochs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
SMALLER = {
    "--train 60": "--train 4",
    "--val 12": "--val 3",
    "--test 48": "--test 4",
    "--size 256": "--size 64",
    "--image-size 256": "--image-size 64",
    "epochs=40": "epochs=2, image_size=64",
    '"runs/joint", holdout': '"runs/joint", TrainConfig(image_size=64), holdout',
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def smaller(text: str) -> str:
    for large, small in SMALLER.items():
        text = text.replace(large, small)
    return text


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("readme")


def run(command: list[str], folder: Path) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(command, cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_replacement_still_finds_its_text():
    assert all(large in README for large in SMALLER)


def test_commands_by_hand(folder):
    (block,) = blocks("bash")
    run(["bash", "-euc", smaller(block)], folder)
    assert (folder / "runs" / "confetto.html").is_file()
    assert len((folder / "answers.jsonl").read_text().splitlines()) == 4


def test_python_by_hand(folder):
    (block,) = blocks("python")
    printed = run([sys.executable, "-c", smaller(block)], folder)
    assert "(64, 64)" in printed
    assert 0 <= float(printed.split()[-1]) <= 1


def test_the_lights_file_is_one_that_is_read(tmp_path):
    from afrd.datasets.lights import read_lights

    (block,) = blocks("yaml")
    (tmp_path / "lights.yaml").write_text(block)
    assert read_lights(tmp_path / "lights.yaml").names == ("top", "box")


def test_files_and_pictures_that_are_named_exist():
    root = Path(__file__).parents[1]
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (root / link).exists(), link
    tree = re.search(r"src/afrd/\n(.*?)```", README, re.DOTALL).group(1)
    for name in re.findall(r"^  ([a-z_]+(?:\.py|/))", tree, re.MULTILINE):
        assert (root / "src" / "afrd" / name).exists(), name


def test_make_targets_that_are_named_exist():
    makefile = (Path(__file__).parents[1] / "Makefile").read_text()
    for target in set(re.findall(r"make ([a-z]+)", README)):
        assert f"\n{target}:" in makefile

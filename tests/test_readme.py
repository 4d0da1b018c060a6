"""The commands of README.md and docs/start.md are run, with fewer captures and epochs; what they name exists."""

import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
START = (ROOT / "docs" / "start.md").read_text(encoding="utf-8")
PAGES = {
    path.relative_to(ROOT): path.read_text(encoding="utf-8") for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
}
SMALLER = {
    "--train 60": "--train 4",
    "--val 12": "--val 3",
    "--test 48": "--test 4",
    "--size 256": "--size 64",
    "--image-size 256": "--image-size 64",
    "epochs=40": "epochs=2, image_size=64",
    '"runs/joint", holdout': '"runs/joint", TrainConfig(image_size=64), holdout',
    "train parts --out run ": "train parts --out run --image-size 64 ",
}


def block(page: str, language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)
    for large, small in SMALLER.items():
        found = found.replace(large, small)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("readme")


def run(command: list[str], folder: Path, *, installed: bool = True) -> str:
    """installed: whether `afrd` is found before the first command; without it only what the page says makes it so."""
    bins = Path(sys.executable).parent
    others = [part for part in os.environ["PATH"].split(os.pathsep) if not (Path(part) / "afrd").exists()]
    path = os.pathsep.join([str(bins), *others] if installed else others)
    done = subprocess.run(command, cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_replacement_still_finds_its_text():
    assert all(large in README + START for large in SMALLER)


@pytest.mark.slow
def test_own_captures_in_ten_lines(tmp_path):
    from captures import write_folder

    write_folder(tmp_path / "parts", {"train": {"good": 12}, "test": {"good": 2, "dent": 2}})
    shutil.copytree(tmp_path / "parts" / "test" / "dent", tmp_path / "new")
    venv.create(tmp_path / ".venv")  # as `make demo` leaves it: the command is found once that is activated
    (tmp_path / ".venv" / "bin" / "afrd").symlink_to(Path(sys.executable).with_name("afrd"))
    printed = run(["bash", "-euc", block(README, "bash")], tmp_path, installed=False)
    assert re.findall(r"  (00\d)\b", printed) == ["000", "001"]  # a verdict each
    assert (tmp_path / "run.html").is_file()


@pytest.mark.slow
def test_commands_by_hand(folder):
    run(["bash", "-euc", block(START, "bash")], folder)
    assert (folder / "runs" / "confetto.html").is_file()
    assert len((folder / "answers.jsonl").read_text().splitlines()) == 4


@pytest.mark.slow
def test_python_by_hand(folder):
    printed = run([sys.executable, "-c", block(START, "python")], folder)
    assert "(64, 64)" in printed
    assert 0 <= float(printed.split()[-1]) <= 1


def test_the_lights_file_is_one_that_is_read(tmp_path):
    from afrd.datasets.lights import read_lights

    (tmp_path / "lights.yaml").write_text(block(START, "yaml"))
    assert read_lights(tmp_path / "lights.yaml").names == ("top", "box")


def test_readme_is_one_screen():
    assert len(README.splitlines()) <= 70


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_files_and_pictures_that_are_named_exist(page):
    for link in re.findall(r"\]\((?!http)([^)#]+)(?:#[^)]*)?\)", PAGES[page]):
        assert (ROOT / page.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_lines_of_prose_end_at_120(page):
    prose = re.sub(r"```.*?```", "", PAGES[page], flags=re.DOTALL).splitlines()
    assert [line for line in prose if len(line) > 120 and not line.startswith(("|", "!["))] == []


def test_the_tree_names_what_there_is():
    tree = re.search(r"src/afrd/\n(.*?)```", PAGES[Path("docs/architecture.md")], re.DOTALL)[1]
    for name in re.findall(r"^  ([a-z_]+(?:\.py|/))", tree, re.MULTILINE):
        assert (ROOT / "src" / "afrd" / name).exists(), name


def test_every_public_name_is_described():
    import afrd

    described = re.findall(r"^::: \S+\.(\w+)$", PAGES[Path("docs/api.md")], re.MULTILINE)
    assert sorted(described) == sorted(afrd.__all__)


def test_make_targets_that_are_named_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"make ([a-z-]+)", README + START + PAGES[Path("CONTRIBUTING.md")])):
        assert f"\n{target}:" in makefile


def test_the_site_is_built_without_a_warning(tmp_path):
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "open_dataset" in (tmp_path / "site" / "api" / "index.html").read_text()

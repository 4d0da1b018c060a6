"""Nothing in a folder goes missing unsaid: locked folders, links that lead nowhere or back, names no line can show."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from afrd.capture import LightRig
from afrd.datasets import categories, check_dataset, open_dataset, read_captures
from afrd.errors import DatasetError
from captures import write_eyecandies, write_folder

LIGHTS = LightRig(("left", "right", "top"))
NOBODY = 65534


@contextmanager
def locked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """`folder` without any right, seen by an ordinary user from the test's own folder: yields "." to reach it by."""
    home = Path(*folder.parts[: folder.parts.index("data")])
    monkeypatch.chdir(home)  # the folders above belong to the superuser alone
    home.chmod(0o755)
    mode = folder.stat().st_mode
    folder.chmod(0)
    superuser = os.geteuid() == 0
    if superuser:
        os.seteuid(NOBODY)
    try:
        yield Path("data")
    finally:
        if superuser:
            os.seteuid(0)
        folder.chmod(mode)


def _paths(root: Path, category: str | None = None) -> list[str]:
    return [problem.path.relative_to(root).as_posix() for problem in check_dataset(root, category)]


@pytest.mark.parametrize("name", ["train/good/001", "train/good", "train", "masks/scratch", "masks"])
def test_locked_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    write_folder(tmp_path / "data", size=8)
    with locked(tmp_path / "data" / name, monkeypatch) as root:
        assert _paths(root) == [name]
        with pytest.raises(DatasetError, match=rf"{name}: cannot be listed \(Permission denied\); restore"):
            open_dataset(root, split="train" if name.startswith("train") else "test")


@pytest.mark.parametrize("name", ["Confetto/train/data", "Confetto/train"])
def test_locked_eyecandies_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    write_eyecandies(tmp_path / "data", counts={"train": (1, 0), "val": (1, 0)}, size=8)
    with locked(tmp_path / "data" / name, monkeypatch) as root:
        assert _paths(root) == [name]
        with pytest.raises(DatasetError, match=rf"{name}: cannot be listed"):
            open_dataset(root)
        with pytest.raises(DatasetError, match=r"cannot be listed \(Permission denied\)"):
            read_captures([root / name], LIGHTS)


def test_locked_category(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_eyecandies(tmp_path / "data", ["Confetto", "Lollipop"], {"train": (1, 0)}, size=8)
    with locked(tmp_path / "data" / "Lollipop", monkeypatch) as root:
        assert _paths(root) == ["Lollipop"]
        for reads in (open_dataset, categories):
            with pytest.raises(DatasetError, match="Lollipop: cannot be listed"):
                reads(root)
        assert _paths(root, "Confetto") == []
        assert len(open_dataset(root, "Confetto")) == 1


def test_locked_root_and_what_lies_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(tmp_path / "data", size=8)
    with locked(tmp_path / "data", monkeypatch) as root:
        with pytest.raises(DatasetError, match=r"data: cannot be listed \(Permission denied\)"):
            check_dataset(root)
        with pytest.raises(DatasetError, match=r"data/train: cannot be reached \(Permission denied\)"):
            check_dataset(root / "train")


def test_locked_capture_without_label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(tmp_path / "data", size=8)
    with locked(tmp_path / "data/train/good/001", monkeypatch) as root:
        for paths, pattern in (
            (["train/good"], None),
            (["train/good/000", "train/good/001"], None),
            (["train"], "good/{id}/{light}.png"),
        ):
            with pytest.raises(DatasetError, match=r"good/001: cannot be listed \(Permission denied\); restore[^(]*$"):
                read_captures([root / path for path in paths], LIGHTS, pattern=pattern)


@pytest.mark.parametrize(
    "name",
    ["train/good/009", "train/good/001/extra.png", "test/rust", "test_public", "masks/scratch/009.png", "lights.yaml"],
)
def test_link_that_leads_nowhere(tmp_path: Path, name: str) -> None:
    write_folder(tmp_path, size=8)
    (tmp_path / name).symlink_to("gone")
    problems = [str(problem) for problem in check_dataset(tmp_path)]
    assert f"{tmp_path / name}: cannot be reached (No such file or directory)" in problems[0]
    with pytest.raises(DatasetError, match=r"cannot be reached|cannot be read"):
        open_dataset(tmp_path, split="train" if name.startswith("train") else "test")


def test_link_that_leads_nowhere_in_eyecandies(tmp_path: Path) -> None:
    write_eyecandies(tmp_path, counts={"train": (1, 0)}, size=8)
    for name in ("Lollipop", "Confetto/val", "Confetto/train/data/001_image_0.png"):
        (tmp_path / name).symlink_to("gone")
    assert sorted(_paths(tmp_path)) == ["Confetto/train/data/001_image_0.png", "Confetto/val", "Lollipop"]
    with pytest.raises(DatasetError, match="Lollipop: cannot be reached"):
        open_dataset(tmp_path)


def test_lights_file_that_is_a_link_to_nothing_is_not_taken_for_absent(tmp_path: Path) -> None:
    write_eyecandies(tmp_path, counts={"train": (1, 0)}, size=8)
    (tmp_path / "lights.yaml").symlink_to("gone")
    with pytest.raises(DatasetError, match=r"lights\.yaml: cannot be read \(No such file"):
        open_dataset(tmp_path, "Confetto")


def test_link_that_leads_nowhere_without_label(tmp_path: Path) -> None:
    write_folder(tmp_path, size=8)
    (tmp_path / "train/good/009").symlink_to("gone")
    with pytest.raises(DatasetError, match=r"good/009: cannot be reached \(No such file"):
        read_captures([tmp_path / "train/good"], LIGHTS)
    (tmp_path / "train/good/001/more.png").symlink_to("gone")
    with pytest.raises(DatasetError, match=r"more\.png: cannot be reached \(No such file"):
        read_captures([tmp_path / "train/good/001"], LIGHTS)


def test_links_that_lead_back_end(tmp_path: Path) -> None:
    write_folder(tmp_path, size=8)
    loops = [f"train/good/{capture}/{name}" for capture in ("000", "002") for name in ("up", "upper")]
    for loop in loops:
        (tmp_path / loop).symlink_to("../.." if loop.endswith("upper") else "..")
    problems = check_dataset(tmp_path)
    assert [problem.path.relative_to(tmp_path).as_posix() for problem in problems] == loops
    assert "the same folder as" in str(problems[0]) and "remove the link" in str(problems[0])
    with pytest.raises(DatasetError, match=r"000/up: the same folder as .*\(and 3 more"):
        open_dataset(tmp_path)
    with pytest.raises(DatasetError, match=r"000/up: the same folder as "):
        read_captures([tmp_path / "train"], LIGHTS, pattern="good/{id}/{light}.png")


def test_links_to_other_places_are_followed(tmp_path: Path) -> None:
    written = write_folder(tmp_path / "archive", {"train": {"good": 3}}, size=8)
    good = tmp_path / "data" / "train" / "good"
    good.mkdir(parents=True)
    for name, target in (("a", "000"), ("b", "001")):
        (good / name).symlink_to(tmp_path / "archive/train/good" / target)
    (good / "c").mkdir()
    for light in LIGHTS.names:
        (good / "c" / f"{light}.png").symlink_to(tmp_path / f"archive/train/good/002/{light}.png")
    assert check_dataset(tmp_path / "data") == []
    found = open_dataset(tmp_path / "data")
    assert [record.id for record in found.records] == ["good-a", "good-b", "good-c"]
    assert (found[1].images == written["train", "good-001"].images).all()
    assert [record.id for record in read_captures([good], LIGHTS).records] == ["a", "b", "c"]


def test_linked_categories_keep_their_own_names(tmp_path: Path) -> None:
    for version in ("v1", "v2"):
        write_eyecandies(tmp_path / version, counts={"train": (1, 0)}, size=8)
    (tmp_path / "data").mkdir()
    for version in ("v1", "v2"):
        (tmp_path / "data" / f"Confetto_{version}").symlink_to(tmp_path / version / "Confetto")
    assert categories(tmp_path / "data") == ["Confetto_v1", "Confetto_v2"]


BAD_NAMES = {
    "line end": (b"0\n1", r"0\n1"),
    "escape": (b"0\x1b[31m1", r"0\x1b[31m1"),
    "not UTF-8": (b"0\xff1", r"0\udcff1"),
    "line separator": ("0\u20281".encode(), r"0\u20281"),
}


@pytest.mark.parametrize("case", BAD_NAMES)
def test_names_that_cannot_be_shown(tmp_path: Path, case: str) -> None:
    name, shown = os.fsdecode(BAD_NAMES[case][0]), BAD_NAMES[case][1]
    write_folder(tmp_path / "a", size=8)
    for folder in ("train/good", "test"):
        (tmp_path / "a" / folder / ("001" if folder == "train/good" else "scratch")).rename(
            tmp_path / "a" / folder / name
        )
    problems = [str(problem) for problem in check_dataset(tmp_path / "a")]
    for folder in ("train/good", "test"):
        assert any(f"{tmp_path}/a/{folder}/{shown}: a name with control characters" in problem for problem in problems)
    for problem in problems:
        problem.encode()
        assert len(problem.splitlines()) == 1
    with pytest.raises(DatasetError, match="a name with control characters, or with bytes that are not UTF-8; rename"):
        open_dataset(tmp_path / "a")
    with pytest.raises(DatasetError, match="a name with control characters"):
        read_captures([tmp_path / "a/train/good"], LIGHTS)
    with pytest.raises(DatasetError, match="a name with control characters"):
        read_captures([tmp_path / "a/train/good" / name], LIGHTS)
    with pytest.raises(DatasetError, match="a name with control characters"):
        read_captures([tmp_path / "a/train"], LIGHTS, pattern="good/{id}/{light}.png")
    write_eyecandies(tmp_path / "b", ["Confetto", name], {"train": (1, 0)}, size=8)
    (tmp_path / "b/Confetto/train/data" / f"001_image_{name}.png").touch()
    assert [problem.what[:6] for problem in check_dataset(tmp_path / "b")] == ["a name", "a name"]


def test_names_in_any_script_are_fine_and_superscripts_are_no_numbers(tmp_path: Path) -> None:
    names = ["①", "1", "10", "2³", "²", "部品 7", "Ä\u3000b", "٣"]
    for index, name in enumerate(names):
        write_folder(tmp_path / str(index), {"train": {"good": 1}}, size=8, seed=index)
        home = tmp_path / "data" / "train" / "good"
        home.mkdir(parents=True, exist_ok=True)
        (tmp_path / str(index) / "train/good/000").rename(home / name)
    assert check_dataset(tmp_path / "data") == []
    order = [record.id.removeprefix("good-") for record in open_dataset(tmp_path / "data").records]
    assert sorted(order) == sorted(names)
    assert order.index("1") < order.index("2³") < order.index("10") < order.index("①")
    assert [record.id for record in read_captures([tmp_path / "data/train/good"], LIGHTS).records] == order

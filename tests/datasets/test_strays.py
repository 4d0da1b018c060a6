"""A misspelt split or category is said, and what only lies beside a data set is left alone."""

from pathlib import Path

import pytest

from afrd.datasets import categories, check_dataset, open_dataset
from afrd.errors import DatasetError
from captures import write_eyecandies, write_folder

SPLITS = ("train", "val", "test")


def _paths(root: Path) -> list[str]:
    return [problem.path.relative_to(root).as_posix() for problem in check_dataset(root)]


@pytest.mark.parametrize("name", ["validation", "Val", "valid", "VAL"])
@pytest.mark.parametrize("home", [".", "screws"])
def test_misspelt_split(tmp_path: Path, name: str, home: str) -> None:
    write_folder(tmp_path / home, size=8)
    (tmp_path / home / "val").rename(tmp_path / home / name)
    (problem,) = check_dataset(tmp_path)
    assert problem.path == tmp_path / home / name
    assert "no split of the folder layout, so that nothing in it is read; rename it to one of train, val, test" in str(
        problem
    )
    with pytest.raises(DatasetError, match=f"{name}: no split of the folder layout"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("name", ["Train", "test", "test_publik", "testpublic", "training"])
def test_misspelt_split_of_eyecandies(tmp_path: Path, name: str) -> None:
    write_eyecandies(tmp_path, ["Confetto", "Lollipop"], size=8)
    (tmp_path / "Lollipop/test_public").rename(tmp_path / "Lollipop" / name)
    assert _paths(tmp_path) == [f"Lollipop/{name}"]
    with pytest.raises(DatasetError, match="rename it to one of train, val, test_public, test_private"):
        open_dataset(tmp_path, "Lollipop")


def test_folder_of_a_category_that_holds_images(tmp_path: Path) -> None:
    write_folder(tmp_path / "screws", size=8)
    write_folder(tmp_path / "more", {"train": {"good": 1}}, size=8)
    (tmp_path / "more/train").rename(tmp_path / "screws/holdout")
    (tmp_path / "more").rmdir()
    assert _paths(tmp_path) == ["screws/holdout"]
    assert len(open_dataset(tmp_path)) == 4


def test_category_with_misspelt_splits_beside_a_sound_one(tmp_path: Path) -> None:
    write_folder(tmp_path / "nuts", size=8)
    write_folder(tmp_path / "screws", size=8)
    for split in SPLITS:
        (tmp_path / "screws" / split).rename(tmp_path / "screws" / split.title())
    (problem,) = check_dataset(tmp_path)
    assert problem.path == tmp_path / "screws"
    assert "holds Test, Train, Val, but is no category, so that nothing in it is read; name its splits" in str(problem)
    for reads in (open_dataset, categories):
        with pytest.raises(DatasetError, match="screws: holds Test, Train, Val, but is no category"):
            reads(tmp_path)
    assert len(open_dataset(tmp_path, "nuts")) == 4
    assert check_dataset(tmp_path, "nuts") == []
    (tmp_path / "nuts").rename(tmp_path.parent / f"{tmp_path.name}-nuts")
    with pytest.raises(DatasetError, match=r"no data set.*screws: holds Test, Train, Val, but is no category"):
        check_dataset(tmp_path)


@pytest.mark.parametrize("nested", ["Lollipop/images", "group/Lollipop/train"])
def test_folder_of_images_beside_categories(tmp_path: Path, nested: str) -> None:
    write_eyecandies(tmp_path, size=8)
    (tmp_path / nested).parent.mkdir(parents=True)
    write_eyecandies(tmp_path / "other", counts={"train": (1, 0)}, size=8)
    (tmp_path / "other/Confetto/train").rename(tmp_path / nested)
    (tmp_path / "other/Confetto").rmdir()
    (problem,) = check_dataset(tmp_path)
    assert problem.path == tmp_path / Path(nested).parts[0]
    assert "holds images, but is no category" in str(problem)
    assert len(open_dataset(tmp_path)) == 4


@pytest.mark.parametrize("home", [".", "screws"])
def test_what_lies_beside_is_left_alone(tmp_path: Path, home: str) -> None:
    write_folder(tmp_path / home, size=8)
    for root in (tmp_path, tmp_path / home):
        (root / "runs" / "first").mkdir(parents=True, exist_ok=True)
        (root / "runs" / "first" / "model.safetensors").touch()
        (root / ".features").mkdir(exist_ok=True)
        (root / ".features" / "level0.png").touch()
        (root / "runs" / "back").exists() or (root / "runs" / "back").symlink_to("..")
        for name in ("README.md", "overview.png", "render.yaml"):
            (root / name).touch()
    assert check_dataset(tmp_path) == []
    assert len(open_dataset(tmp_path)) == 4

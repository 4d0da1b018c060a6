import os

import pytest

from afrd.errors import RunError
from afrd.files import atomic_folder, atomic_path, require_file_target, write_text


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(ZeroDivisionError), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_folder_appears_whole(tmp_path):
    with pytest.raises(ZeroDivisionError), atomic_folder(tmp_path / "f") as temporary:
        (temporary / "a").touch()
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())
    with atomic_folder(tmp_path / "f") as temporary:
        (temporary / "a").touch()
        assert not (tmp_path / "f").exists()
    assert (tmp_path / "f" / "a").exists()


def test_links_are_followed_and_devices_written_to(tmp_path):
    write_text(tmp_path / "target", "old")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "new"
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_text(tmp_path / "pipe", "through")
    assert os.read(reader, 100) == b"through"
    os.close(reader)


def test_places_that_cannot_be_written_to_are_named_before_the_work(tmp_path):
    (tmp_path / "file").touch()
    for path, says in ((tmp_path, "is a folder"), (tmp_path / "file" / "x", "is a file, not a folder")):
        with pytest.raises(RunError, match=says):
            require_file_target(path)
    require_file_target(tmp_path / "new" / "folder" / "x.json")

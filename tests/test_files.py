import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from afrd.errors import RunError
from afrd.files import (
    atomic_folder,
    atomic_path,
    remove_left_over,
    require_file_target,
    require_folder_target,
    write_text,
)

NOBODY = 65534


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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="users of Unix")
@pytest.mark.parametrize(
    ("folder", "file", "may"), [(0o777, 0o666, True), (0o555, 0o666, False), (0o777, 0o444, False)]
)
def test_a_file_is_replaced_in_its_folder_which_takes_leave_of_both(folder, file, may):
    """The superuser may do everything, so another asks."""
    with TemporaryDirectory() as place:
        path = Path(place) / "answer.json"
        path.touch()
        path.chmod(file)
        path.parent.chmod(folder)
        if not (child := os.fork()):
            try:
                if os.geteuid() == 0:
                    os.setuid(NOBODY)
                require_file_target(path)
            except RunError as error:
                os._exit(3 if "no permission" in str(error) else 4)
            finally:
                os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == (0 if may else 3)
        path.parent.chmod(0o755)


def test_folders_that_cannot_be_written_to_are_named_before_the_work(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name, says in (
        ("file", "file: is a file, not a folder; choose another"),
        ("file/x/y", "y: .*file is a file, not a folder; choose another"),
        ("link", "link: is a link that leads nowhere"),
    ):
        with pytest.raises(RunError, match=says):
            require_folder_target(tmp_path / name)
    require_folder_target(tmp_path)
    require_folder_target(tmp_path / "new" / "folder")
    assert not (tmp_path / "new").exists()


def test_a_name_as_long_as_names_may_be_is_written(tmp_path):
    path = tmp_path / ("\N{CJK UNIFIED IDEOGRAPH-4E2D}" * 83 + ".png")  # 253 bytes
    write_text(path, "whole")
    assert path.read_text() == "whole"


def test_what_dead_processes_left_goes_and_what_living_ones_write_stays(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    own = tmp_path / f".own.{os.getpid()}.tmp.png"
    before = tmp_path / f".before.{os.getpid()}.tmp.png"
    left, folder = tmp_path / f".a_sheet.{ended.pid}.tmp.png", tmp_path / f".f.{ended.pid}.tmp"
    living = tmp_path / f".b_sheet.{os.getppid()}.tmp.png"
    others = [tmp_path / name for name in ("a_map.png", f".a.{ended.pid}.png", ".notes.tmp", f"a.{ended.pid}.tmp.png")]
    for path in (own, before, left, living, *others):
        path.touch()
    folder.mkdir()
    (folder / "file").touch()
    os.utime(before, (1, 1))  # of an earlier process of the same number, as in a container
    remove_left_over(tmp_path)
    assert set(tmp_path.iterdir()) == {own, living, *others}
    remove_left_over(tmp_path / "absent")

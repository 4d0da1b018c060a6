"""Disk and database in trouble: what was answered is on record or said not to be, and no picture is lost."""

import shutil
import threading

import pytest
from sqlalchemy import text

from afrd.station.config import Limits
from afrd.station.database import writing
from afrd.station.intake import Intake, Taken
from afrd.station.judge import Judge, load_version
from afrd.station.line import Line
from afrd.station.sources.config import FolderConfig
from afrd.station.sources.folder import WatchedFolder
from afrd.station.store import IdUsedError, Store


def taken(parts, id: str) -> Taken:
    return Intake(LIGHTS, Limits()).take(parts[0], id, "http", 0.0)


LIGHTS = ("left", "right", "top")


def test_images_that_cannot_be_moved_wait_for_the_next_start(store, artefact, parts, tmp_path):
    """A disk that is full just between the record and its folder: a file in the folder's place fails the same way."""
    (tmp_path / "captures").write_text("")
    part, judge = taken(parts, "part-1"), Judge(load_version(artefact, None, None))
    row = store.take(part)
    assert row is not None and store.trouble
    judgement = judge.judge(part.images, part.id)
    store.finish(row, judgement, 0.1, False, named=store.draw(row, judgement))
    assert store.find("part-1").state == "judged"
    with pytest.raises(IdUsedError):
        store.take(part)  # sent again: nothing is written over, nothing removed
    (tmp_path / "captures").unlink()
    again = Store(store.engine, tmp_path, "station")
    assert again.unfinished() == [] and not list((tmp_path / "incoming").iterdir())
    row = again.find("part-1")
    assert again.files.read_images(row.folder, row.files) == dict(parts[0])


def test_what_a_killed_process_left_without_a_record_goes(store, tmp_path):
    (tmp_path / "incoming" / "nobody").mkdir()
    (tmp_path / "incoming" / "file").write_text("")
    assert store.unfinished() == [] and not list((tmp_path / "incoming").iterdir())


def test_the_line_goes_on_without_its_database(store, artefact, parts, tmp_path):
    """As a server that went away: every statement fails. A part that was not good must not be told so for that."""
    with writing(store.engine).begin() as connection:
        for table in ("reviews", "opinions", "outbox", "captures"):
            connection.execute(text(f"DROP TABLE {table}"))
    line = Line(Judge(load_version(artefact, None, None)), store, 4)
    line.start()
    part = taken(parts, "part-1")
    assert line.earlier(part.id, part.digest) is None
    found = line.submit(part, line.reserve()).result(60)
    line.stop()
    assert found["score"] > 0 and "no such table" in store.trouble


def test_images_in_a_folder_for_each_light_are_all_kept_and_the_rigs_folders_stay(tmp_path):
    config = FolderConfig(
        kind="folder", name="drop", path="drop", pattern="{light}/{id}.*", settle_seconds=0, incomplete_seconds=60
    )
    for light in LIGHTS:
        (tmp_path / light).mkdir()
        for id in ("a", "b"):
            (tmp_path / light / f"{id}.png").write_text(f"{id} under {light}")
    offered = []

    def offer(files, id, source):
        if id == "a":
            raise OSError("cannot be read")
        offered.append((id, files))

    source = WatchedFolder(config, tmp_path, LIGHTS)
    ending = threading.Event()
    source._look(offer, ending)
    assert [id for id, _ in offered] == ["b"]  # the one before it does not keep it waiting
    done = {path.name: path.read_text() for path in (tmp_path / "done" / "b").iterdir()}
    assert done == {f"{light}.png": f"b under {light}" for light in LIGHTS}
    assert all((tmp_path / light / "a.png").exists() for light in LIGHTS)
    shutil.rmtree(tmp_path / "done")
    source._look(lambda *_: None, ending)
    assert all((tmp_path / light).is_dir() for light in LIGHTS)
    assert len(list((tmp_path / "done" / "a").iterdir())) == 3

"""A watched folder: images of two parts that share an id are never judged as one, and what is not judged is told."""

import os
import time
from pathlib import Path

import pytest

from afrd.errors import StationError
from afrd.station.sources.config import FolderConfig
from afrd.station.sources.running import Sources
from sinks import until

LIGHTS = ("left", "right", "top")


@pytest.fixture
def started():
    """Sources; they are stopped with the test."""
    started: list[Sources] = []
    yield started
    for each in started:
        each.stop()


@pytest.fixture
def watched(tmp_path, started):
    """pattern, path → content: what was offered once the id `whole`, which must be among them, was."""

    def watch(pattern: str, files: dict[str, str]) -> dict[str, dict[str, bytes]]:
        for name, content in files.items():
            (tmp_path / "drop" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "drop" / name).write_text(content)
        offered: dict[str, dict[str, bytes]] = {}
        config = FolderConfig(kind="folder", name="drop", path=Path("drop"), pattern=pattern, settle_seconds=0)

        def offer(images: dict[str, bytes], id: str, _: str) -> dict:
            offered[id] = images
            return {}

        started.append(Sources((config,), tmp_path, LIGHTS, offer))
        started[-1].start()
        until((tmp_path / "drop/done/whole").exists)
        return offered

    return watch


def whole(pattern: str) -> dict[str, str]:
    """A capture that is taken after those before it by name."""
    return {pattern.replace(".*", ".png").replace("*", "z").format(id="whole", light=light): light for light in LIGHTS}


@pytest.mark.parametrize(
    ("pattern", "names", "reason", "moved"),
    [
        pytest.param(
            "*/{id}_{light}.png",
            ["a/1_left.png", "a/1_right.png", "a/1_top.png", "b/1_right.png"],
            "more than one image for light right: a/1_right.png, b/1_right.png",
            {"left.png", "right.png", "right.2.png", "top.png"},
            id="of two folders",
        ),
        pytest.param(
            "{id}/{light}.*",
            ["1/left.png", "1/right.png", "1/top.png", "1/top.bmp"],
            "more than one image for light top: 1/top.bmp, 1/top.png",
            {"left.png", "right.png", "top.png", "top.bmp"},
            id="of two formats",
        ),
        pytest.param(
            "*/{id}_{light}.png",
            ["a/1_left.png", "b/1_right.png", "b/1_top.png"],
            "images of one id in 2 folders: a, b",
            {"1_left.png", "1_right.png", "1_top.png"},
            id="a light here and a light there",
        ),
    ],
)
def test_an_id_of_two_parts_is_refused_as_a_whole(watched, tmp_path, pattern, names, reason, moved):
    offered = watched(pattern, {name: name for name in names} | whole(pattern))
    assert set(offered) == {"whole"}
    refused = tmp_path / "drop/refused/1"
    assert (refused / "reason.txt").read_text() == f"{reason}; give each part an id of its own\n"
    there = {path.name: path.read_text() for path in refused.iterdir() if path.name != "reason.txt"}
    assert set(there) == moved and sorted(there.values()) == sorted(names)


def test_folders_of_lights_share_their_ids(watched):
    pattern = "{light}/*/{id}.png"
    assert set(watched(pattern, whole(pattern))) == {"whole"}


@pytest.mark.parametrize("token", ["{view}", "{group}"])
def test_a_pattern_of_several_captures_of_a_part_ends_the_start(tmp_path, token):
    config = FolderConfig(kind="folder", name="drop", path=Path("drop"), pattern=token + "/{id}_{light}.png")
    with pytest.raises(StationError, match=f"source drop: .* has {token}; a station judges each capture by itself"):
        Sources((config,), tmp_path, LIGHTS, lambda *_: {})


@pytest.mark.parametrize(
    ("pattern", "stray"),
    [("{id}_{light}.tif", "7_top.TIF"), ("{id}/{light}.*", "0007_top.png"), ("{id}/{light}.*", "lot/7/top.png")],
)
def test_images_that_fit_no_pattern_are_told_until_they_are_gone(watched, started, tmp_path, pattern, stray):
    watched(pattern, {stray: "top", "notes.txt": "no image"} | whole(pattern))
    (source,) = started
    until(source.problems)
    assert source.problems() == [
        f"source drop: 1 image(s) do not fit the pattern {pattern} and are not judged: {stray}; fix the pattern or "
        "their names, or remove them"
    ]
    (tmp_path / "drop" / stray).unlink()
    until(lambda: not source.problems())


def test_captures_that_cannot_be_moved_are_told_until_they_can(watched, started, tmp_path):
    (tmp_path / "drop").mkdir()
    (tmp_path / "drop/refused").write_text("a file in the folder's place")
    twice = {"1/left.png": "left", "1/left.bmp": "left"}
    watched("{id}/{light}.*", twice | whole("{id}/{light}.*"))
    (source,) = started
    until(source.problems)
    (problem,) = source.problems()
    assert problem.startswith("source drop: 1 capture(s) cannot be read or moved: 1: ") and "drop/refused" in problem
    (tmp_path / "drop/refused").unlink()
    until(lambda: not source.problems())
    assert (tmp_path / "drop/refused/1/reason.txt").exists()


@pytest.mark.parametrize("days", [None, 30])
def test_what_was_dealt_with_goes_after_the_days_it_is_kept(tmp_path, started, days):
    there = {f"{where}/{id}": age for where in ("done", "refused") for id, age in (("new", 29), ("old", 31))}
    for name, age in there.items():
        folder = tmp_path / "drop" / name
        folder.mkdir(parents=True)
        (folder / "top.png").write_text("top")
        os.utime(folder, (time.time() - age * 86400,) * 2)
    (tmp_path / "drop/old").mkdir()  # not dealt with
    os.utime(tmp_path / "drop/old", (0, 0))
    config = FolderConfig(kind="folder", name="drop", path=Path("drop"), settle_seconds=0.1, keep_days=days)
    started.append(Sources((config,), tmp_path, LIGHTS, lambda *_: {}))
    started[0].start()
    if days:
        until(lambda: not any((tmp_path / f"drop/{where}/old").exists() for where in ("done", "refused")))
    time.sleep(0.5)
    kept = {name for name in there if (tmp_path / "drop" / name / "top.png").exists()}
    assert kept == ({"done/new", "refused/new"} if days else set(there))
    assert (tmp_path / "drop/old").is_dir()

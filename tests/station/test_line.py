"""The line by itself: what it takes from arrival to record, and what an earlier process left."""

import time
import weakref

import pytest

from afrd.station.config import Limits
from afrd.station.intake import Intake, Taken
from afrd.station.judge import Judge, load_version
from afrd.station.line import Line
from sinks import until


@pytest.fixture(scope="module")
def judge(artefact):
    return Judge(load_version(artefact, None, None))


LIGHTS = ("left", "right", "top")


def taken(parts, k: int) -> Taken:
    return Intake(LIGHTS, Limits()).take(parts[k], f"part-{k}", "http", time.monotonic())


@pytest.mark.parametrize(("cycle_seconds", "late"), [(0.001, True), (60, False), (None, False)])
def test_what_takes_longer_than_the_cycle_is_marked_on_record(store, judge, parts, cycle_seconds, late):
    line = Line(judge, store, 4, cycle_seconds)
    line.start()
    answer = line.submit(taken(parts, 0), line.reserve()).result(60)
    line.stop()
    assert (store.find("part-0").late, store.find("part-0").seconds) == (late, answer["seconds"])


def test_the_cycle_ends_when_the_map_is_stored(store, judge, parts, monkeypatch):
    """On a slow disk the map may take longer than the inspection."""
    write = store.files.write_map

    def slowly(*arguments) -> None:
        time.sleep(1)
        write(*arguments)

    monkeypatch.setattr(store.files, "write_map", slowly)
    line = Line(judge, store, 4, cycle_seconds=1)
    line.start()
    line.submit(taken(parts, 0), line.reserve()).result(60)
    line.stop()
    assert store.find("part-0").seconds > 1 and store.find("part-0").late


def test_what_an_earlier_process_left_is_decoded_one_after_the_other(store, judge, parts):
    """After an hour without a database there may be thousands; their pictures do not fit into memory at once."""
    for k in range(6):
        store.take(taken(parts, k))
    alive, most = [], []

    class Counting(Intake):
        def take(self, *arguments) -> Taken:
            found = super().take(*arguments)
            alive.append(weakref.ref(found.images))
            most.append(sum(each() is not None for each in alive))
            return found

    line = Line(judge, store, 2)
    assert line.recover(Counting(LIGHTS, Limits())) == 6 and line.waiting == 6
    assert most == []
    line.start()
    again = line.submit(taken(parts, 5), line.reserve()).result(60)  # its client sends it again meanwhile
    until(lambda: line.waiting == 0)
    line.stop()
    assert max(most) <= 2
    assert {store.find(f"part-{k}").state for k in range(6)} == {"judged"}
    assert "after a restart" in store.find("part-0").note
    assert again["score"] == store.find("part-5").score


def test_a_line_that_ends_by_itself_has_failed(store, judge, parts, monkeypatch):
    line = Line(judge, store, 2)
    assert not line.failed
    monkeypatch.setattr(line, "_next", lambda _: None)  # whatever ends its thread
    line.start()
    until(lambda: line.failed)
    line.stop()
    assert not line.failed


def test_the_space_of_a_capture_is_all_that_lies_in_its_folder(store, judge, parts):
    """Images to be removed are chosen by it."""
    line = Line(judge, store, 2)
    line.start()
    line.submit(taken(parts, 0), line.reserve()).result(60)
    line.stop()
    store.review("part-0", "defect", None, "ada", mask=b"drawn")
    row = store.find("part-0")
    lying = list((store.files.root / row.folder).iterdir())
    assert len(lying) == 3 + 3 and row.bytes == sum(path.stat().st_size for path in lying)

"""Pictures that an outside trigger brings: whatever the line does meanwhile, those of two parts are never mixed."""

import threading
import time

import numpy as np
import pytest

from afrd.station.sources.parts_of_pictures import Grabbing, Parts, Picture


def pictures(part: int, lights: range, start: float, lost_before: bool = False) -> list[Picture]:
    """One every 10 ms; a pixel says of which part and light it is."""
    return [Picture(np.array([[10 * part + k]]), start + 0.01 * k, lost_before and k == lights.start) for k in lights]


def collected(stream: list[Picture], lights: int = 6, gap: float = 0.5) -> tuple[list[list[int]], int]:
    parts, whole, away = Parts(lights, gap), [], 0
    for picture in stream:
        found, thrown = parts.add(picture)
        away += thrown
        if found:
            whole.append([int(each[0, 0]) for each in found])
    return whole, away


def test_whole_parts_come_in_order():
    stream = [picture for part in range(3) for picture in pictures(part, range(6), 2.0 * part)]
    assert collected(stream) == ([[10 * part + k for k in range(6)] for part in range(3)], 0)


@pytest.mark.parametrize("missing", range(6))
def test_a_part_that_lost_a_picture_is_thrown_away_and_the_next_is_whole(missing):
    """The stream is read at once, as after a line was busy: only the pictures' own times tell."""
    first = [picture for k, picture in enumerate(pictures(1, range(6), 0.0)) if k != missing]
    whole, away = collected([*first, *pictures(2, range(6), 2.0)])
    assert whole == [[20, 21, 22, 23, 24, 25]] and away == 5


def test_a_loss_in_the_driver_begins_another_part():
    stream = [*pictures(1, range(3), 0.0), *pictures(2, range(3, 6), 0.1, lost_before=True), *pictures(3, range(6), 2)]
    assert collected(stream) == ([[30, 31, 32, 33, 34, 35]], 6)


def test_a_part_whose_last_picture_does_not_come_is_given_up():
    parts = Parts(3, 0.5)
    parts.add(pictures(1, range(1), 0.0)[0])
    assert not parts.overdue(0.4) and parts.overdue(0.6)
    assert parts.give_up() == 1 and not parts.overdue(9)


def test_a_picture_has_the_time_of_its_arrival_and_a_full_buffer_says_what_it_lost():
    came, stop = threading.Semaphore(0), []

    def grab():
        if stop or not came.acquire(timeout=0.05):
            return None
        return np.zeros((1, 1)), False

    grabbing = Grabbing(grab, 3)
    began = time.monotonic()
    came.release(5)  # two more than there is room for
    time.sleep(0.5)
    arrived = [grabbing.next(1) for _ in range(3)]
    came.release()
    arrived.append(grabbing.next(5))
    grabbing.stop()
    assert [each.lost for each in arrived] == [False, False, False, True]
    assert all(each.at - began < 0.4 for each in arrived[:3]) and arrived[3].at - began >= 0.5


def test_what_the_camera_raises_reaches_the_source():
    def grab():
        raise OSError("unplugged")

    grabbing = Grabbing(grab, 3)
    with pytest.raises(OSError, match="unplugged"):
        grabbing.next(5)
    grabbing.stop()

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
    """And then no more come."""
    parts, whole, away = Parts(lights, gap, since=-1.0), [], 0
    for picture in [*stream, None]:
        found, thrown = parts.pause(1e9) if picture is None else parts.add(picture)
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
    parts = Parts(3, 0.5, since=-1.0)
    parts.add(pictures(1, range(1), 0.0)[0])
    assert parts.pause(0.4) == ([], 0)
    assert parts.pause(0.6) == ([], 1) and parts.pause(9) == ([], 0)


@pytest.mark.parametrize("missing", range(3))
def test_a_loss_between_parts_without_a_pause_stops_them_until_a_pause(missing):
    """Three parts each half a second, as fast as a line is; the driver says that one picture was lost."""
    stream = [picture for part in range(1, 6) for picture in pictures(part, range(3), 0.5 * part)]
    stream[3 + missing + 1] = stream[3 + missing + 1]._replace(lost=True)
    del stream[3 + missing]
    stream += pictures(7, range(3), 9.0)
    whole, away = collected(stream, lights=3, gap=1.0)

    assert (whole, away) == ([[10, 11, 12], [70, 71, 72]], 11)


def test_a_loss_is_not_over_with_the_pause_before_the_picture_that_tells_of_it():
    """The lost one was the first of the part behind the pause."""
    stream = [*pictures(1, range(3), 0.0), *pictures(2, range(1, 3), 2.0, lost_before=True)]
    stream += [*pictures(3, range(3), 2.3), *pictures(4, range(3), 5.0)]
    assert collected(stream, lights=3) == ([[10, 11, 12], [40, 41, 42]], 5)


def test_a_picture_that_comes_late_begins_no_part():
    """The last of part 1 comes after a pause, just before those of part 2."""
    first, second = pictures(1, range(3), 0.0), pictures(2, range(3), 1.0)
    late = first[2]._replace(at=0.9)
    assert collected([*first[:2], late, *second, *pictures(3, range(3), 3.0)], lights=3) == ([[30, 31, 32]], 6)


def test_pictures_that_come_at_once_at_the_start_may_be_the_rest_of_a_part():
    stream = [*pictures(1, range(1, 3), -0.9), *pictures(2, range(3), -0.6), *pictures(3, range(3), 1.0)]
    assert collected(stream, lights=3) == ([[30, 31, 32]], 5)


def test_parts_without_a_pause_between_are_told_of_until_there_is_one():
    parts, told = Parts(3, 1.0, since=-2.0), []
    for picture in [*pictures(1, range(3), 0.0), *pictures(2, range(3), 0.5), *pictures(3, range(3), 3.0)]:
        parts.add(picture)
        told.append(parts.crowded)
    assert told == [False] * 3 + [True] * 4 + [True] * 2
    parts.pause(9.0)
    assert not parts.crowded


def test_of_one_light_every_picture_is_a_part():
    stream = [picture for part in range(4) for picture in pictures(part, range(1), 0.1 * part, lost_before=part == 2)]
    assert collected(stream, lights=1) == ([[0], [10], [20], [30]], 0)


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

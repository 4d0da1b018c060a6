"""Captures decoded in threads, and what else is made ahead of its use. Knows no files: any captures will do."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from afrd.capture import Capture

T = TypeVar("T")
READERS = 2
AHEAD, AHEAD_BYTES = 4, 1e9  # captures decoded before they are needed, at most, and what they may take


def read_ahead(captures: Sequence[Capture]) -> Iterator[Capture]:
    """The captures in order; so many are decoded beyond the one in use that memory stays bounded.

    Raises what decoding a capture raises, when its turn comes.
    """
    waiting: deque[Future[Capture]] = deque()
    left, ahead = iter(range(len(captures))), 1
    with ThreadPoolExecutor(READERS) as pool:
        while True:
            waiting.extend(pool.submit(captures.__getitem__, i) for i in islice(left, ahead + 1 - len(waiting)))
            if not waiting:
                return
            capture = waiting.popleft().result()
            ahead = int(min(AHEAD, max(1, AHEAD_BYTES // capture.images.nbytes)))
            yield capture


def ahead(items: Iterator[T]) -> Iterator[T]:
    """The items in order; the next one is made in a thread while one is in use. Raises what making one raises."""
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(next, items, None)
        while (item := waiting.result()) is not None:
            waiting = pool.submit(next, items, None)
            yield item

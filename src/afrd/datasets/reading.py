"""Captures decoded in threads, a few ahead of their use. Knows no files: any sequence of captures will do."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from afrd.capture import Capture

READERS = 2
AHEAD = 4  # captures decoded before they are needed


def read_ahead(captures: Sequence[Capture]) -> Iterator[Capture]:
    """The captures in order; at most `AHEAD` are decoded beyond the one in use, so that memory stays bounded.

    Raises what decoding a capture raises, when its turn comes.
    """
    waiting: deque[Future[Capture]] = deque()
    with ThreadPoolExecutor(READERS) as pool:
        for i in range(len(captures)):
            waiting.append(pool.submit(captures.__getitem__, i))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

"""Captures decoded in threads, a few ahead of their use. Knows no files: any sequence of captures will do."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

from afrd.capture import Capture

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

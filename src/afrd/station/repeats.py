"""Captures with the very pictures of the one before: a camera that is frozen, or somebody who sends old pictures."""

from collections.abc import Iterable
from dataclasses import replace

from afrd.station.intake import Taken
from afrd.station.judge import Judgement


class Repeats:
    """cameras: names of sources that cannot bring the same pictures twice, as a sensor has noise: a light fault.

    Of others, who may send files again on purpose, the verdict stays; a note and health tell.
    """

    def __init__(self, cameras: Iterable[str] = ()) -> None:
        self._cameras = frozenset(cameras)
        self._newest: dict[str, tuple[str, str]] = {}  # source → digest, and the first id that had it
        self._repeated: dict[str, str] = {}  # source → what is told of it

    def told(self, taken: Taken, judgement: Judgement) -> Judgement:
        """The judgement, with a note where the pictures are those of the capture before from the same source."""
        digest, first = self._newest.get(taken.source, ("", ""))
        if digest != taken.digest:
            self._newest[taken.source] = taken.digest, taken.id
            self._repeated.pop(taken.source, None)
            return judgement
        if first == taken.id:
            return judgement
        note = f"the same pictures as capture {first}: is the camera frozen?"
        self._repeated[taken.source] = f"source {taken.source}: capture {taken.id} has {note}"
        if taken.source in self._cameras:
            judgement = replace(judgement, verdict="light fault", shown_by=None)
        return replace(judgement, more_notes=(note,))

    def problems(self) -> list[str]:
        """Of each source whose newest capture is such a one."""
        return list(self._repeated.values())

"""A model that judges beside the active one, on record and without a say."""

import logging
from collections.abc import Callable

import numpy as np

from afrd.errors import AfrdError
from afrd.station.judge import Judgement, Version, judged_by

_log = logging.getLogger("afrd.station")


class Shadow:
    """note(id, judgement): puts an opinion on record. review: as `afrd.station.judge.Judge`."""

    def __init__(self, note: Callable[[str, Judgement], None], review: float | None = None) -> None:
        self._note, self._review = note, review
        self.version: Version | None = None
        """The one in shadow."""
        self.trouble: str | None = None
        """Why the newest part could not be judged; None where it was."""

    def watch(self, version: Version | None) -> None:
        """Judge by this one from the next part on; None ends it."""
        self.version, self.trouble = version, None

    def look(self, images: np.ndarray, id: str) -> None:
        """A part that was judged."""
        version = self.version
        if version is None:
            return
        try:
            self._note(id, judged_by(version, images, id, self._review))
            self.trouble = None
        except AfrdError as error:  # it is on trial
            if self.trouble is None:
                _log.warning("model %s in shadow: capture %s: %s", version.name, id, error)
            self.trouble = str(error)

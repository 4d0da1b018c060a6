"""The newest answer in one small file, for a PLC that polls: replaced whole, so that it is never half-read."""

import json
import os
from pathlib import Path
from typing import Any

CODES = {"not judged": 0, "good": 1, "review": 2, "anomalous": 3, "light fault": 4}


class AnswerFile:
    """One JSON object in one line. `count` grows with every answer, so that the same verdict twice is seen twice."""

    def __init__(self, path: Path) -> None:
        self._path, self._count = path, 0
        path.parent.mkdir(parents=True, exist_ok=True)

    def begin(self) -> None:
        """An answer of yesterday is not taken for one of today. Raises OSError."""
        self._write({"count": 0, "id": "", "code": CODES["not judged"], "verdict": "not judged", "score": None})

    def show(self, answer: dict[str, Any]) -> None:
        """Raises OSError."""
        self._count += 1
        shown = {name: answer[name] for name in ("id", "verdict", "score")}
        self._write({"count": self._count, "code": CODES[answer["verdict"]], **shown})

    def close(self) -> None:
        """Nobody judges any more."""
        self.begin()

    def _write(self, content: dict[str, Any]) -> None:
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}.tmp")
        temporary.write_text(json.dumps(content) + "\n", encoding="ascii")
        temporary.replace(self._path)

"""The station file: what one station is made of. Strict YAML; an unknown key or a bad value is named with its line."""

import re
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from afrd.datasets.yaml_file import YamlFile

DATA_FOLDER = "station-data"
_MEND = "see docs/station.md for what a station file holds"

Name = Annotated[str, StringConstraints(pattern=re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"))]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Limits(_Strict):
    """What an upload may be, checked before anything is decoded.

    megabytes: of one capture, all lights. megapixels: of one light. captures_per_second: of all clients together, with
    bursts of twice as many. upload_seconds: a client slower than this with one capture is cut off.
    """

    megabytes: float = Field(256, gt=0)
    megapixels: float = Field(25, gt=0)
    captures_per_second: float = Field(50, gt=0)
    upload_seconds: float = Field(10, gt=0)


class StationConfig(_Strict):
    """One station.

    station: its name, in every record. model: run folder or artefact to start with; later ones are activated in the
    pages. data: folder of database, images and maps. database: URL of a PostgreSQL server instead of SQLite in `data`.
    lights: their order as the rig triggers them, to be compared with the model's; None takes the model's.
    review: share of the threshold above which a part that is not anomalous is to be seen by a person; None for never.
    queue: captures that may wait or be judged at once; more are answered 503. cycle_seconds: from the arrival of a
    capture to its answer; what takes longer is marked. threads: of the inspection; None for every usable processor.
    """

    station: Name = "station"
    model: Path
    data: Path = Path(DATA_FOLDER)
    database: str | None = None
    lights: tuple[Name, ...] | None = None
    review: float | None = Field(None, gt=0, lt=1)
    queue: int = Field(8, ge=1, le=1000)
    cycle_seconds: float | None = Field(None, gt=0)
    threads: int | None = Field(None, ge=1)
    limits: Limits = Limits()

    def beside(self, folder: Path) -> Self:
        """With relative paths taken from `folder`."""
        return self.model_copy(update={"model": folder / self.model, "data": folder / self.data})


def load_station(path: Path) -> StationConfig:
    """A station file, or a run folder or artefact to be served with every default.

    Paths in the file are relative to it. Raises DatasetError naming file, line, value and mend.
    """
    if path.suffix not in (".yaml", ".yml"):
        return StationConfig(model=path, data=Path(DATA_FOLDER))
    file = YamlFile(path, _MEND)
    try:
        return StationConfig.model_validate(file.value).beside(path.parent)
    except ValidationError as error:
        first = error.errors()[0]
        raise file.error(_words(first), *first["loc"]) from None


def _words(problem: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"]) or "the file"
    if problem["type"] == "extra_forbidden":
        return f"{where}: no such setting"
    if problem["type"] == "missing":
        return f"{where}: missing"
    return f"{where}: {problem['msg']}; found {problem['input']!r}"

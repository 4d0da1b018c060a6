"""The station file: what one station is made of. Strict YAML; an unknown key or a bad value is named with its line."""

import re
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from afrd.datasets.lights import LIGHT_NAME
from afrd.datasets.yaml_file import YamlFile
from afrd.errors import complaint
from afrd.fail_safe import OnLightFault
from afrd.station.access import AccessRules
from afrd.station.sinks.config import SinkConfig
from afrd.station.sources.config import SourceConfig

DATA_FOLDER = "station-data"
_FIX = "see docs/station.md for what a station file holds"

Name = Annotated[str, StringConstraints(pattern=re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"))]
LightName = Annotated[str, StringConstraints(min_length=1, pattern=LIGHT_NAME)]


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


class Retention(_Strict):
    """How long images are kept; None for ever. Parts that were reviewed are always kept.

    good_days, other_days: by verdict. gigabytes: of all images; the oldest good parts go first.
    """

    good_days: float | None = Field(None, gt=0)
    other_days: float | None = Field(None, gt=0)
    gigabytes: float | None = Field(None, gt=0)


class StationConfig(_Strict):
    """One station.

    station: its name, in every record. model: run folder or artefact to start with; later ones are activated in the
    pages. data: folder of database, images and maps. database: URL of a PostgreSQL server instead of SQLite in `data`.
    lights: their order as the rig triggers them, to be compared with the model's; None takes the model's.
    review: share of the threshold above which a part that is not anomalous is to be seen by a person; None for never.
    on_light_fault: "reject" or "leave-out", see `afrd.Inspector.load`; None for what the model was trained for.
    queue: captures that may wait or be judged at once; more are answered 503. cycle_seconds: from the first byte of a
    capture until images and map are stored and its verdict is put on record; what takes longer is marked late.
    threads: of the inspection; None for every usable processor.
    access: who may use it; without, only this machine.
    shifts: local times at which they begin, as "06:00".
    training: folder of the captures that the first model learned from; versions trained here learn from them too.
    """

    station: Name = "station"
    model: Path
    data: Path = Path(DATA_FOLDER)
    database: str | None = None
    lights: tuple[LightName, ...] | None = None
    review: float | None = Field(None, gt=0, lt=1)
    on_light_fault: OnLightFault | None = None
    queue: int = Field(8, ge=1, le=1000)
    cycle_seconds: float | None = Field(None, gt=0)
    threads: int | None = Field(None, ge=1)
    limits: Limits = Limits()
    sources: tuple[SourceConfig, ...] = ()
    sinks: tuple[SinkConfig, ...] = ()
    retention: Retention = Retention()
    access: AccessRules | None = None
    shifts: tuple[time, ...] = (time(6), time(14), time(22))
    training: Path | None = None

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        for what, named in (("sinks", self.sinks), ("sources", self.sources)):
            names = [each.name for each in named]
            if len(set(names)) != len(names):
                raise ValueError(f"{what}: a name is used twice")
        return self

    def shift_start(self, now: float) -> float:
        """When the running shift began. now: seconds since 1970."""
        at = datetime.fromtimestamp(now)
        starts = [datetime.combine(at.date() - timedelta(days=day), start) for day in (0, 1) for start in self.shifts]
        return max((start for start in starts if start <= at), default=at.replace(hour=0, minute=0)).timestamp()

    def beside(self, folder: Path) -> Self:
        """With relative paths taken from `folder`."""
        paths = {name: folder / path for name in ("model", "data", "training") if (path := getattr(self, name))}
        return self.model_copy(update=paths)


def load_station(path: Path) -> StationConfig:
    """A station file, or a run folder or artefact to be served with every default.

    Paths in the file are relative to it. Raises DatasetError naming file, line, value and fix.
    """
    if path.suffix not in (".yaml", ".yml"):
        return StationConfig(model=path, data=Path(DATA_FOLDER))
    file = YamlFile(path, _FIX)
    if not isinstance(file.value, dict):
        raise file.error("expected settings, one a line, at least model: RUN")
    try:
        return StationConfig.model_validate(file.value).beside(path.parent)
    except ValidationError as error:
        where = error.errors()[0]["loc"]
        secret = where[:1] in (("access",), ("sinks",), ("database",))  # what stands there never reaches a log
        raise file.error(complaint(error, secret), *where) from None

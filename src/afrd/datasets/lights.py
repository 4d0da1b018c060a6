"""Which lights a data set was taken with: `lights.yaml`, the Eyecandies rig, and whether a model fits them.

lights:                                # in the order of the captures' lights
  - {name: top, direction: [0, 1, 1]}  # from the part towards the light: x right, y up, z to the camera
  - {name: box, direction: null}       # or without `direction`: a light without one direction, or unknown
imaging: {bits: 12, transfer: linear}  # optional: what the camera's pictures are, `afrd.imaging.ImagingOptions`
"""

import math
import os
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from afrd.capture import MAX_LIGHTS, MIN_LIGHTS, LightRig
from afrd.datasets.yaml_file import YamlFile
from afrd.errors import DatasetError
from afrd.imaging import ImagingOptions
from afrd.imaging.region import AUTO

EYECANDIES_LIGHTS = ("all_spots", "bottom", "right", "top", "left", "light_box")
"""Names of `image_0` … `image_5`."""

LIGHTS_FILE = "lights.yaml"
_MEND = 'write "lights: [{name: top, direction: [0, 1, 1]}, {name: box}]", in the order of the lights'


class _Light(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, Field(min_length=1, pattern=r"^[^/\\\x00-\x1f\x7f]+$")]
    direction: Annotated[list[float], Field(min_length=3, max_length=3)] | None = None

    @field_validator("direction")
    @classmethod
    def _has_length(cls, direction: list[float] | None) -> list[float] | None:
        if direction is not None and not 0 < math.hypot(*direction) < math.inf:
            raise ValueError("a direction is a finite vector that is not zero")
        return direction


class _LightsFile(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    lights: Annotated[list[_Light], Field(min_length=MIN_LIGHTS, max_length=MAX_LIGHTS)]
    imaging: ImagingOptions = ImagingOptions()

    @field_validator("lights")
    @classmethod
    def _names_differ(cls, lights: list[_Light]) -> list[_Light]:
        names = [light.name for light in lights]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"light name used twice: {', '.join(twice)}")
        return lights


def read_lights(path: Path) -> LightRig:
    """The rig in a `lights.yaml`; directions are scaled to unit length.

    Raises ProblemError naming the line for anything but the schema above; unknown keys are errors.
    """
    lights = _read(path).lights
    directions = None
    if any(light.direction for light in lights):
        directions = tuple(_unit(light.direction) for light in lights)
    return LightRig(tuple(light.name for light in lights), directions)


def read_imaging(path: Path) -> ImagingOptions:
    """What a `lights.yaml` says of the camera's pictures; files that it names lie beside it.

    Raises ProblemError as `read_lights`.
    """
    options = _read(path).imaging
    if isinstance(options.roi, str) and options.roi != AUTO:
        options = options.model_copy(update={"roi": str(path.parent / options.roi)})
    return options


def _read(path: Path) -> _LightsFile:
    file = YamlFile(path, _MEND)
    try:
        return _LightsFile.model_validate(file.value)
    except ValidationError as error:
        first, *more = error.errors()
        where = ".".join(str(key) for key in first["loc"])
        what = f"{where}: {first['msg']}" if where else first["msg"]
        raise file.error(what + (f" (and {len(more)} more)" if more else ""), *first["loc"]) from error


def find_lights_file(category: Path) -> Path | None:
    """The `lights.yaml` of a category's folder or else of the data set around it, however the category is opened.

    A link to a file that is gone counts: reading it tells.
    """
    around = (category.resolve() if category.name in ("", "..") else category).parent
    return next((folder / LIGHTS_FILE for folder in (category, around) if os.path.lexists(folder / LIGHTS_FILE)), None)


def require_lights(found: LightRig, model: LightRig, where: Path | str | None = None) -> None:
    """Raise DatasetError unless the lights found (in `where`) are the model's, in the model's order."""
    if found.names == model.names:
        return
    if set(found.names) == set(model.names):
        mend = f"list them in the model's order in {LIGHTS_FILE}"
    else:
        mend = (
            f"use captures taken under the model's lights, give them its names in {LIGHTS_FILE}, or train a new model"
        )
    place = f"{where}: " if where else ""
    orders = f"found {', '.join(found.names)}; the model has {', '.join(model.names)}"
    raise DatasetError(f"{place}the lights are not the model's: {orders}; {mend}")


def _unit(direction: list[float] | None) -> tuple[float, float, float]:
    if direction is None:
        return (math.nan, math.nan, math.nan)
    length = math.hypot(*direction)
    x, y, z = (value / length for value in direction)
    return (x, y, z)

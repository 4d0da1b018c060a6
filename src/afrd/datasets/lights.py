"""Which lights a data set was taken with: `lights.yaml`, the Eyecandies rig, and whether a model fits them.

lights:                                # in the order of the captures' lights
  - {name: top, direction: [0, 1, 1]}  # from the part towards the light: x right, y up, z to the camera
  - {name: box, direction: null}       # or without `direction`: a light without one direction, or unknown
  - {name: low, direction: [1, 0, 0.2], distance: 2.5, weight: 0.5, exposure_ms: 4, switching_ms: 0.5, trigger: 3}
                                       # optional, each: distance from the part in widths of the picture; how far
                                       # models go by it, 0 to 1; what it takes of a cycle; when it is triggered, in
                                       # equal intervals (of all lights or none; left out: one after the other)
imaging: {bits: 12, transfer: linear}  # optional: what the camera's pictures are, `afrd.imaging.ImagingOptions`
"""

import math
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from afrd.capture import MAX_LIGHTS, MIN_LIGHTS, LightRig
from afrd.datasets.yaml_file import YamlFile
from afrd.errors import DatasetError, complaint
from afrd.imaging import ImagingOptions
from afrd.imaging.region import AUTO

EYECANDIES_LIGHTS = ("all_spots", "bottom", "right", "top", "left", "light_box")
"""Names of `image_0` … `image_5`."""

LIGHTS_FILE = "lights.yaml"
LIGHT_NAME = r'^[^/\\"\x00-\x1f\x7f]+$'  # as a name stands in files' names, messages and tables
_FIX = 'write "lights: [{name: top, direction: [0, 1, 1]}, {name: box}]", in the order of the lights'


class _Light(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, Field(min_length=1, pattern=LIGHT_NAME)]
    direction: Annotated[list[float], Field(min_length=3, max_length=3)] | None = None
    distance: Annotated[float, Field(gt=0.5, allow_inf_nan=False)] | None = None
    weight: Annotated[float, Field(ge=0, le=1)] = 1.0
    exposure_ms: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    switching_ms: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    trigger: Annotated[int, Field(ge=0)] | None = None

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
        if not any(light.weight for light in lights):
            raise ValueError("every light has the weight 0; give one a weight up to 1")
        triggers = [light.trigger for light in lights if light.trigger is not None]
        if triggers and len(set(triggers)) < len(lights):
            raise ValueError("trigger: give every light one of its own, or none")
        return lights


def read_lights(path: Path) -> LightRig:
    """The rig in a `lights.yaml`; directions are scaled to unit length. What no light says is None.

    Raises ProblemError naming the line for anything but the schema above; unknown keys are errors.
    """
    lights = _read(path).lights
    directions = None
    if any(light.direction for light in lights):
        directions = tuple(_unit(light.direction) for light in lights)
    weights = tuple(light.weight for light in lights)
    return LightRig(
        tuple(light.name for light in lights),
        directions,
        _said(light.distance for light in lights),
        None if set(weights) == {1.0} else weights,
        _said(light.exposure_ms for light in lights),
        _said(light.switching_ms for light in lights),
        tuple(light.trigger for light in lights if light.trigger is not None) or None,
    )


def read_imaging(path: Path) -> ImagingOptions:
    """What a `lights.yaml` says of the camera's pictures; files that it names lie beside it.

    Raises ProblemError as `read_lights`.
    """
    options = _read(path).imaging
    if isinstance(options.roi, str) and options.roi != AUTO:
        options = options.model_copy(update={"roi": str(path.parent / options.roi)})
    return options


def _read(path: Path) -> _LightsFile:
    file = YamlFile(path, _FIX)
    try:
        return _LightsFile.model_validate(file.value)
    except ValidationError as error:
        raise file.error(complaint(error), *error.errors()[0]["loc"]) from error


def name_fault(light: str) -> tuple[str, str] | None:
    """Why a file's name makes no name of a light that lights.yaml may hold, and the fix; None where it does."""
    if re.fullmatch(LIGHT_NAME, light):
        return None
    what = f"{light} is no name for a light; expected one without /, \\, quotation marks and control characters"
    return what, "rename the files of this light, of every capture alike"


def find_lights_file(category: Path) -> Path | None:
    """The `lights.yaml` of a category's folder or else of the data set around it, however the category is opened.

    A link to a file that is gone counts: reading it tells.
    """
    around = (category.resolve() if category.name in ("", "..") else category).parent
    return next((folder / LIGHTS_FILE for folder in (category, around) if os.path.lexists(folder / LIGHTS_FILE)), None)


def lights_file_above(capture: Path) -> Path:
    """The nearest `lights.yaml` in a capture's folder or any above it. Raises DatasetError: there is none."""
    folder = capture.resolve()
    for place in (folder, *folder.parents):
        if (place / LIGHTS_FILE).is_file():
            return place / LIGHTS_FILE
    raise DatasetError(
        f"{capture}: no {LIGHTS_FILE} in it or above; {_FIX}, each direction from the part towards the light: x "
        f"right, y up, z to the camera; measured with a ruler, or from where a shiny ball shows the light"
    )


def require_lights(found: LightRig, model: LightRig, where: Path | str | None = None) -> None:
    """Raise DatasetError unless the lights found (in `where`) are the model's, in the model's order."""
    if found.names == model.names:
        return
    if set(found.names) == set(model.names):
        fix = f"list them in the model's order in {LIGHTS_FILE}"
    elif set(found.names) > set(model.names):
        fix = f"take the model's of them, captures.of_lights({model.names!r}); afrd evaluate and predict do"
    else:
        fix = f"use captures taken under the model's lights, give them its names in {LIGHTS_FILE}, or train a new model"
    place = f"{where}: " if where else ""
    orders = f"found {', '.join(found.names)}; the model has {', '.join(model.names)}"
    raise DatasetError(f"{place}the lights are not the model's: {orders}; {fix}")


def _said(values: Iterable[float | None]) -> tuple[float, ...] | None:
    """NaN for None; None where all are."""
    found = tuple(math.nan if value is None else float(value) for value in values)
    return None if all(map(math.isnan, found)) else found


def _unit(direction: list[float] | None) -> tuple[float, float, float]:
    if direction is None:
        return (math.nan, math.nan, math.nan)
    length = math.hypot(*direction)
    x, y, z = (value / length for value in direction)
    return (x, y, z)

"""A rig file: which lights stand where, to be tried before they are bought. Knows no renderer.

lights:                                 # one picture each, in this order; centimetres and degrees
  - {name: north, spot: {azimuth: 90, polar: 52, distance: 17, radius: 1.1}}
  - {name: low_bar, bar: {azimuth: 0, polar: 78, distance: 14, length: 12, width: 1}, colour: [1, 0.2, 0.1]}
  - {name: ring, ring: {polar: 45, distance: 15, radius: 0.5}, exposure: 0.8}
  - {name: dome, dome: {}, exposure_ms: 12, switching_ms: 0.5}

azimuth: from where, 0 right, 90 up in the picture; polar: from the camera's axis, 0 above, 90 in the belt's plane;
distance: from a point 0.6 cm above the belt's middle. exposure: linear value of a white matte surface that faces a spot
or a bar or, under a ring or the dome, the camera. colour: factors of red, green and blue. exposure_ms, switching_ms:
what the light would take of a cycle; they change no picture and are handed on to lights.yaml.
"""

import math
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from afrd.capture import MAX_LIGHTS
from afrd.datasets.lights import LIGHT_NAME
from afrd.datasets.yaml_file import YamlFile
from afrd.errors import DatasetError
from afrd.yaml_model import complaint

AIM = (0.0, 0.0, 0.6)
PART_REACH = 4.5  # cm from the point aimed at, within which a part may be
CAMERA, VIEW = 10.5, 0.36  # cm above the belt; half the picture's width over the distance from the camera
RING_OF = 16  # spots that make a ring


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Placed(_Strict):
    polar: Annotated[float, Field(ge=0, lt=90)]
    distance: Annotated[float, Field(gt=0, le=100)]

    def at(self, azimuth: float) -> np.ndarray:
        """Where it is, [3] cm, x right, y up in the picture, z from the belt to the camera."""
        turn, fall = math.radians(azimuth), math.radians(self.polar)
        towards = [math.sin(fall) * math.cos(turn), math.sin(fall) * math.sin(turn), math.cos(fall)]
        return np.array(AIM) + self.distance * np.array(towards)


class Spot(_Placed):
    """A disc that faces the part."""

    azimuth: float
    radius: Annotated[float, Field(gt=0, le=10)] = 1.1

    @property
    def size(self) -> float:
        """From its middle to its edge."""
        return self.radius


class Bar(_Placed):
    """A rectangle that faces the part, long across its direction and level."""

    azimuth: float
    length: Annotated[float, Field(gt=0, le=100)]
    width: Annotated[float, Field(gt=0, le=20)] = 1.0

    @property
    def size(self) -> float:
        """As of a spot; its length runs past the part, so that its width is what comes near."""
        return self.width / 2


class Ring(_Placed):
    """Spots all around."""

    radius: Annotated[float, Field(gt=0, le=5)] = 0.5

    @property
    def size(self) -> float:
        """As of a spot."""
        return self.radius

    def spots(self) -> list[Spot]:
        """What it is made of."""
        return [
            Spot(azimuth=360 * i / RING_OF, polar=self.polar, distance=self.distance, radius=self.radius)
            for i in range(RING_OF)
        ]


class Dome(_Strict):
    """Bright walls all around: the light box."""


class RigLight(_Strict):
    """One light; exactly one of spot, bar, ring and dome."""

    name: Annotated[str, Field(min_length=1, pattern=LIGHT_NAME)]
    spot: Spot | None = None
    bar: Bar | None = None
    ring: Ring | None = None
    dome: Dome | None = None
    exposure: Annotated[float, Field(gt=0, le=4)] = 0.82
    colour: tuple[
        Annotated[float, Field(ge=0, le=4)], Annotated[float, Field(ge=0, le=4)], Annotated[float, Field(ge=0, le=4)]
    ] = (1.0, 1.0, 1.0)
    exposure_ms: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    switching_ms: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        forms = [form for form in ("spot", "bar", "ring", "dome") if getattr(self, form) is not None]
        if len(forms) != 1:
            raise ValueError(f"{' and '.join(forms) or 'no form'}; give one of spot, bar, ring and dome")
        return self

    @property
    def directed(self) -> Spot | Bar | None:
        """What it is, if it comes from one direction."""
        return self.spot or self.bar

    @property
    def direction(self) -> tuple[float, float, float] | None:
        """Unit vector from the part towards it; None where there is not one."""
        if self.directed is None:
            return None
        away = self.directed.at(self.directed.azimuth) - np.array(AIM)
        x, y, z = (away / np.linalg.norm(away)).tolist()
        return (x, y, z)

    def parts(self) -> list[Spot | Bar]:
        """The emitters it is made of; none for a dome."""
        return [self.directed] if self.directed else self.ring.spots() if self.ring else []


class Rig(_Strict):
    """All lights of a station."""

    lights: Annotated[tuple[RigLight, ...], Field(min_length=1, max_length=MAX_LIGHTS)]

    @field_validator("lights")
    @classmethod
    def _possible(cls, lights: tuple[RigLight, ...]) -> tuple[RigLight, ...]:
        names = [light.name for light in lights]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"light name used twice: {', '.join(twice)}")
        for light in lights:
            for part in light.parts():
                where = part.at(part.azimuth)
                if part.distance - part.size < PART_REACH:
                    raise ValueError(
                        f"light {light.name} is inside the part: {part.distance:g} cm from its middle, and parts reach "
                        f"{PART_REACH:g} cm; move it away"
                    )
                if where[2] - part.size * math.sin(math.radians(part.polar)) < 0:
                    raise ValueError(f"light {light.name} reaches below the belt; raise it, or make it smaller")
                if where[2] < CAMERA and max(abs(where[:2])) - part.size < VIEW * (CAMERA - where[2]):
                    raise ValueError(f"light {light.name} stands between the camera and the part; move it aside")
        return lights


def shipped() -> dict[str, Any]:
    """The rigs that come with the package, by name."""
    found = files("afrd.render") / "rigs"
    return {path.name.removesuffix(".yaml"): path for path in sorted(found.iterdir(), key=lambda path: path.name)}


def read_rig(rig: str | Path) -> Rig:
    """rig: a file, or the name of a shipped one. Raises DatasetError naming what is wrong, and where."""
    path = Path(str(shipped().get(str(rig), rig)))
    if not path.is_file():
        raise DatasetError(f"{rig}: no such rig file; shipped are {', '.join(shipped())}")
    try:
        return Rig.model_validate(YamlFile(path, "see the rigs shipped in afrd/render/rigs").value)
    except ValidationError as error:
        raise DatasetError(f"{path}: {complaint(error)}") from error

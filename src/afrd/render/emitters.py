"""Lights as Mitsuba's scene takes them: those of the station, or those of a rig file."""

from typing import Any, NamedTuple

import numpy as np

from afrd.render.rig_file import AIM, Bar, Rig, RigLight, Spot

DOME_EXPOSURE = 0.85  # of the light box as it is built


WHITE = (1.0, 1.0, 1.0)


class Emitter(NamedTuple):
    """shape: Mitsuba's, without its emitter; radiance: of it while it is on."""

    shape: dict[str, Any]
    radiance: float

    def lit(self) -> dict[str, Any]:
        """With its emitter, on."""
        return self.shape | {"emitter": {"type": "area", "radiance": {"type": "rgb", "value": self.radiance}}}


class Lamp(NamedTuple):
    """One light. emitters: by their names in the scene. box: share of the light box; colour: factors of RGB.

    soft: so large that few samples leave noise.
    """

    emitters: dict[str, Emitter]
    box: float = 0.0
    colour: tuple[float, float, float] = WHITE
    soft: bool = False


def disc(mi, origin: np.ndarray, distance: float, radius: float, exposure: float) -> Emitter:
    """A disc of area A and radiance L at distance d lights a surface that faces it with L·A/d²; white returns 1/π."""
    towards = mi.ScalarTransform4f().look_at(origin=list(origin), target=list(AIM), up=[0.3, 0.4, 1])
    shape = {"type": "disk", "to_world": towards @ mi.ScalarTransform4f().scale(radius)}
    return Emitter(shape, float(exposure * np.pi * distance**2 / (np.pi * radius**2)))


def lamps_of(mi, rig: Rig) -> dict[str, Lamp]:
    """The lights of a rig file by their names, in order."""
    return {light.name: _lamp(mi, light, i) for i, light in enumerate(rig.lights)}


def _lamp(mi, light: RigLight, number: int) -> Lamp:
    if light.dome:
        return Lamp({}, light.exposure / DOME_EXPOSURE, light.colour)
    parts = light.parts()
    # of a ring all spots together light what faces the camera
    share = light.exposure if light.directed else light.exposure / (len(parts) * np.cos(np.radians(parts[0].polar)))
    emitters = {f"emitter_{number}_{i}": _emitter(mi, part, share) for i, part in enumerate(parts)}
    return Lamp(emitters, 0.0, light.colour, soft=len(parts) > 1 or light.bar is not None)


def _emitter(mi, part: Spot | Bar, exposure: float) -> Emitter:
    origin = part.at(part.azimuth)
    if isinstance(part, Spot):
        return disc(mi, origin, part.distance, part.radius, exposure)
    up = [0, 0, 1] if part.polar > 5 else [0, 1, 0]
    towards = mi.ScalarTransform4f().look_at(origin=list(origin), target=list(AIM), up=up)
    shape = {
        "type": "rectangle",
        "to_world": towards @ mi.ScalarTransform4f().scale([part.length / 2, part.width / 2, 1]),
    }
    return Emitter(shape, float(exposure * np.pi * part.distance**2 / (part.length * part.width)))

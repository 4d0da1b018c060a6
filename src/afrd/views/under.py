"""A part as it would look under a light that is missing, or under one that its rig does not have."""

from collections.abc import Sequence

import numpy as np

from afrd.capture import LightRig
from afrd.errors import ModelError
from afrd.imaging.pixels import to_srgb
from afrd.views.photometric import facing
from afrd.views.relight import Relighting
from afrd.views.views import stereo_of

_LENGTH = 1e-3


def picture_under(
    images: np.ndarray,
    lights: LightRig,
    light: str | tuple[float, float, float],
    relighting: Sequence[Relighting] | None,
) -> np.ndarray:
    """images: [N, C, H, W] in the common form, sRGB coded, uint8 or uint16. Returns [C, H, W] of the same type.

    light: one of `lights` by its name, whose own image is not looked at; made by `relighting`, learned in training.
    Or the unit vector towards a light that there is not, x right, y up, z to the camera: a matte part of the colour and
    shape that photometric stereo finds.

    Raises ModelError: no light of that name, none learned, a vector that is not of length 1 or lies behind the part,
    too few directions known.
    """
    full = np.iinfo(images.dtype).max
    if isinstance(light, str):
        made = _one_of_them(images / np.float32(full), lights, light, relighting)
    else:
        made = _another(images / np.float32(full), lights, light)
    return np.rint(made.clip(0, 1) * full).astype(images.dtype)


def _one_of_them(
    images: np.ndarray, lights: LightRig, light: str, relighting: Sequence[Relighting] | None
) -> np.ndarray:
    if light not in lights.names:
        raise ModelError(f"light {light}: this model has {', '.join(lights.names)}")
    if relighting is None:
        raise ModelError(
            f"light {light}: this model has not learned what it shows from the others; train it again, with at least "
            f"two lights and three captures"
        )
    k = lights.names.index(light)
    return relighting[k](np.delete(images, k, 0))


def _another(images: np.ndarray, lights: LightRig, direction: tuple[float, float, float]) -> np.ndarray:
    towards = np.array(direction, np.float32)
    if towards.shape != (3,) or abs(float(np.linalg.norm(towards)) - 1) > _LENGTH or towards[2] <= 0:
        raise ModelError(
            f"light from {direction}: expected a unit vector from the part to the light, its third number above 0"
        )
    shape = stereo_of(lights)(images)
    return to_srgb(shape.albedo * facing(towards[None, :, None, None], shape.normals).clip(min=0))

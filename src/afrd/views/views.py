"""Pictures of a part that no single light gives: its own colour, its shape, and it without highlights or shadows."""

from dataclasses import dataclass

import numpy as np

from afrd.capture import Capture, LightRig
from afrd.errors import ModelError
from afrd.imaging.pixels import to_srgb
from afrd.views.photometric import HOW_TO_GET, PhotometricStereo, Shape

STEEPER = 4.0  # slopes of the relief view
UPPER_LEFT = 135.0  # degrees, 0 right, 90 up: where its light comes from, as a reader expects
_RAKING = 0.6 * 2**0.5, 0.53  # length of its light along the part, and towards the camera
ABOVE = 0.02  # of full scale: what is this far above Lambert's law is a highlight
SHADED = 0.5  # of Lambert's law: what is below is in a shadow that another place casts


@dataclass(frozen=True)
class Views:
    """[H, W, 3] uint8 each.

    albedo: the colour of the part itself, as if lit evenly. normals: x right, y up, z to the camera, as red, green and
    blue. no_highlight: the mean of the lights, without what is brighter than a matte surface is. no_shadow: and also
    with what cast shadows took. relief: slopes four times as steep, under light from one side, without any colour.
    """

    albedo: np.ndarray
    normals: np.ndarray
    no_highlight: np.ndarray
    no_shadow: np.ndarray
    relief: np.ndarray

    def items(self) -> list[tuple[str, np.ndarray]]:
        """By their names."""
        return list(vars(self).items())


def stereo_of(lights: LightRig) -> PhotometricStereo:
    """For captures in the common form. Raises ModelError: one light, or too few directions, with how to get them."""
    if len(lights) == 1:
        raise ModelError(f"one light, {lights.names[0]}: views need the part under at least 3 lights from known sides")
    if lights.directions is None:
        raise ModelError(f"no light has a direction; 3 are needed: {HOW_TO_GET}")
    return PhotometricStereo(lights.directions, distance=lights.distances)


def can_view(lights: LightRig) -> bool:
    """Whether there are directions enough."""
    try:
        stereo_of(lights)
    except ModelError:
        return False
    return True


def make_views(capture: Capture, stereo: PhotometricStereo | None = None, relief_from: float = UPPER_LEFT) -> Views:
    """capture: in the common form, sRGB coded. stereo: of its lights, where several captures have the same.

    relief_from: azimuth of the light of the relief in degrees, 0 right, 90 up.

    Raises ModelError as `stereo_of`.
    """
    stereo = stereo or stereo_of(capture.lights)
    images = capture.images.astype(np.float32) / np.iinfo(capture.images.dtype).max
    return views_of(stereo(images), relief_from)


def views_of(shape: Shape, relief_from: float = UPPER_LEFT) -> Views:
    """From shape and colour, and the pictures they were found in. relief_from: as of `make_views`."""
    matte = shape.albedo[None] * shape.shading.clip(min=0)[:, None]
    dull = np.minimum(shape.values, matte + ABOVE)
    grey, of_matte = dull.mean(1, keepdims=True), matte.mean(1, keepdims=True)
    lit = np.where(grey < SHADED * of_matte, matte, dull)
    steep = shape.normals * np.array([STEEPER, STEEPER, 1], np.float32)[:, None, None]
    steep /= np.linalg.norm(steep, axis=0).clip(min=1e-9)
    turn, (along, up) = np.radians(relief_from), _RAKING
    raking = np.array([along * np.cos(turn), along * np.sin(turn), up], np.float32)
    relief = np.tensordot(raking, steep, 1).clip(0, 1)
    return Views(
        _picture(to_srgb(shape.albedo)),
        _picture(0.5 + 0.5 * shape.normals),
        _picture(to_srgb(dull.mean(0))),
        _picture(to_srgb(lit.mean(0))),
        _picture(relief[None]),
    )


def _picture(values: np.ndarray) -> np.ndarray:
    """[C, H, W] in 0..1 to [H, W, 3] uint8."""
    coded = np.rint(values.clip(0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(coded, (3, *coded.shape[1:])).transpose(1, 2, 0))

"""What changed in a rig, in words, each with its fix."""

import numpy as np

QUANTITIES = ("brightness", "colour", "sharpness", "noise", "blocks")

_FIXES = {
    ("brightness", -1): "clean the lamps and the lens, check exposure, gain and the lamps' power and age",
    ("brightness", 1): "check exposure, gain, the lamps' power, and light from elsewhere",
    ("colour", -1): "check white balance, the lamps' age and temperature, and light from elsewhere",
    ("colour", 1): "check white balance, the lamps' age and temperature, and light from elsewhere",
    ("sharpness", -1): "check focus and aperture, clean the lens, look for vibration",
    ("sharpness", 1): "check focus, and sharpening in the camera",
    ("noise", -1): "check denoising in the camera",
    ("noise", 1): "check the camera's gain, exposure and temperature",
    ("blocks", -1): "store images without loss, or as training's were",
    ("blocks", 1): "store images as training's were",
}


LOST = (
    "the part was not found as the region of interest could follow it: everything was looked at; check that it lies "
    "whole in the picture, as in training"
)


CUT = (
    "the part lies outside of the picture in part, farther than any in training, so not all of the region of interest "
    "was looked at; check its place before the camera, and the trigger"
)


def change_in_words(quantity: str, size: float, light: str | None = None) -> str:
    """size: in logarithms, as of `RigReference.deviations`. light: its name; None for the whole rig."""
    more, change = size > 0, abs(float(np.expm1(size)))
    words = {
        "brightness": f"{change:.1%} {'brighter' if more else 'darker'} than in training",
        "colour": f"{change:.1%} {'warmer, more' if more else 'colder, less'} red against blue than in training",
        "sharpness": f"{'sharper' if more else 'blurred'}, fine detail {change:.0%} {'up' if more else 'down'}",
        "noise": f"noise × {np.exp(size):.2g} against training's",
        "blocks": f"{'less' if more else 'more'} of JPEG's blocks of 8 × 8 pixels than in training",
    }[quantity]
    where = "all lights" if light is None else f"light {light}"
    return f"{where}: {words}; {_FIXES[quantity, 1 if more else -1]}"


def spot_in_words(at: tuple[int, int]) -> str:
    """at: x, y in pixels."""
    return (
        f"the pixel at {at[0]}, {at[1]} differs from its neighbours under every light; if it does in every capture, it "
        f"is a hot or dead one: let the camera replace it"
    )


def replaced_in_words(at: tuple[int, int]) -> str:
    """at: x, y in pixels."""
    return (
        f"the pixel at {at[0]}, {at[1]} stands out under every light and was replaced by its neighbours; if it does so "
        f"in this capture alone, it is a defect of one pixel: look at the part"
    )

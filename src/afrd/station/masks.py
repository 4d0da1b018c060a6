"""Masks that people brush in the browser: a drawing becomes a black and white picture."""

import base64
import binascii
import io
from pathlib import Path

import numpy as np
from PIL import Image

from afrd.datasets.images import header_of
from afrd.datasets.problems import ProblemError
from afrd.station.config import Limits
from afrd.station.refusals import wrong

_START = "data:image/png;base64,"


def read_mask_drawing(url: str, limits: Limits) -> bytes:
    """A PNG as data URL, transparent where nothing was painted → grey PNG, 255 where something was.

    Raises Refused: 422, no such drawing, too large, or empty.
    """
    try:
        if not url.startswith(_START):
            raise ValueError("another format")
        data = base64.b64decode(url.removeprefix(_START), validate=True)
        header = header_of(data, Path("mask"))
        if header.format != "PNG" or header.height * header.width > limits.megapixels * 1e6:
            raise ValueError("another format, or too large")
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            painted = np.asarray(image.convert("RGBA"))[..., 3] > 0
    except (ValueError, binascii.Error, ProblemError, OSError, SyntaxError) as error:
        raise wrong("mask", f"is no drawing of this page ({error}); brush it again") from error
    if not painted.any():
        raise wrong("mask", "nothing is painted; brush it again, or send none")
    buffer = io.BytesIO()
    Image.fromarray(painted.astype(np.uint8) * 255).save(buffer, "PNG")
    return buffer.getvalue()

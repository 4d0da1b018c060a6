"""Masks that people brush in the browser: a drawing becomes a black and white picture."""

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image

from afrd.datasets.images import header_of
from afrd.station.config import Limits
from afrd.station.refusals import wrong

_START = "data:image/png;base64,"
_PNG = b"\x89PNG\r\n\x1a\n"


def read_mask_drawing(url: str, limits: Limits, size: tuple[int, int] | None) -> bytes:
    """A PNG as data URL, transparent where nothing was painted → grey PNG, 255 where something was.

    size: height and width that it must have, those of the part's images; None where they are not stored.
    Raises Refused: 422, no such drawing, damaged, too large, of another size, or empty.
    """
    try:
        if not url.startswith(_START):
            raise ValueError("another format")
        data = base64.b64decode(url.removeprefix(_START), validate=True)
        if not data.startswith(_PNG):
            raise ValueError("another format")
        header = header_of(data, Path("mask"))
        if header.height * header.width > limits.megapixels * 1e6:
            raise ValueError("too large")
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            painted = np.asarray(image.convert("RGBA"))[..., 3] > 0
    except Exception as error:  # a decoder may fail in its own way on hostile bytes
        raise wrong("mask", f"is no drawing of this page ({error}); brush it again") from error
    if size is not None and painted.shape != size:
        drawn, wanted = f"{painted.shape[1]} × {painted.shape[0]}", f"{size[1]} × {size[0]}"
        raise wrong("mask", f"has {drawn} pixels, the part's images have {wanted}; brush it over one of them")
    if not painted.any():
        raise wrong("mask", "nothing is painted; brush it again, or send none")
    buffer = io.BytesIO()
    Image.fromarray(painted.astype(np.uint8) * 255).save(buffer, "PNG")
    return buffer.getvalue()

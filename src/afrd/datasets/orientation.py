"""The orientation tag of a picture (TIFF 6.0, page 36; EXIF has the same numbers) and how it turns the pixels.

A tag that cannot be understood is a problem: taken for "upright", the picture might be judged lying on its side.
"""

import io
import re
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
import tifffile
from PIL import Image

from afrd.datasets.problems import ProblemError

TAG = 0x0112
_NUMBERS = {3: "H", 4: "I"}  # types of a tag that hold an orientation: SHORT, and LONG as some write it
_MOST = 1 << 20  # bytes of a PNG's EXIF block that are looked at; the tag stands at its beginning
_FIX = "turn the picture as it is to be seen, and save it again without metadata"


def in_picture(image: Image.Image, path: Path) -> int:
    """Of a JPEG, WebP or BMP, in EXIF or else in XMP; 1 where nothing is said."""
    found = _in_exif(image.info.get("exif", b""), path)
    return image.getexif().get(TAG, 1) if found is None else found


def in_png(file: BinaryIO, path: Path) -> int:
    """From the eXIf chunk, which stands before the pixels; `file` is behind the header."""
    while len(chunk := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", chunk)
        if kind == b"eXIf":
            found = _in_exif(file.read(min(length, _MOST)), path)
            return 1 if found is None else found
        if kind in (b"IDAT", b"IEND"):
            break
        file.seek(length + 4, 1)
    return 1


def in_tiff(page: tifffile.TiffPage, path: Path) -> int:
    """Of a TIFF's page; 1 where nothing is said."""
    tag = page.tags.get(TAG)
    if tag is None:
        return 1
    _require_number(tag.dtype, tag.count, path)
    return int(tag.value)


def without(tiff: bytes) -> bytes:
    """The same TIFF, whose decoder then leaves its pixels as they lie: OpenCV turns some kinds of TIFF."""
    with tifffile.TiffFile(io.BytesIO(tiff)) as file:
        tag, order = file.pages[0].tags[TAG], file.byteorder
        at, upright = tag.valueoffset, struct.pack(order + _NUMBERS[tag.dtype], 1)
    return tiff[:at] + upright + tiff[at + len(upright) :]


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """[H, W, …] from the file, as it is to be seen."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def _in_exif(block: bytes, path: Path) -> int | None:
    """None where the block does not say. Read here, as Pillow takes a block that is cut off for one without the tag."""
    block = re.sub(rb"^(Exif\0\0){1,2}", b"", block)
    if not block:
        return None
    try:
        order = {b"II*\0": "<", b"MM\0*": ">"}[block[:4]]
        (at,) = struct.unpack_from(f"{order}I", block, 4)
        (count,) = struct.unpack_from(f"{order}H", block, at)
        tags = [struct.unpack_from(f"{order}HHI4s", block, at + 2 + 12 * k) for k in range(count)]
    except (KeyError, struct.error) as error:
        what = "damaged EXIF data; expected them to say how the picture is turned"
        raise ProblemError(path, what, _FIX) from error
    for code, kind, numbers, value in tags:
        if code == TAG:
            _require_number(kind, numbers, path)
            return struct.unpack_from(order + _NUMBERS[kind], value)[0]
    return None


def _require_number(kind: int, count: int, path: Path) -> None:
    if kind not in _NUMBERS or count != 1:
        what = f"an orientation tag of type {int(kind)} with {count} values; expected one number, of type 3"
        raise ProblemError(path, what, _FIX)

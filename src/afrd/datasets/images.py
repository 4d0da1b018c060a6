"""One image file: its header, its pixels, or the reason why it cannot be used.

No single library is right for every file a camera station writes, so the content (never the suffix) decides:

- PNG: the chunks' checksums first, as neither library looks at all of them; 8-bit by Pillow, 16-bit by OpenCV (Pillow
  reduces 16-bit colour to 8 bits).
- JPEG, WebP, BMP: Pillow, which reports a truncated file; OpenCV returns the half-decoded picture.
- TIFF: the header by tifffile, which tells what OpenCV would decode wrongly (separate planes) or change (orientation,
  alpha); the pixels by OpenCV, which knows every usual compression and both depths, or else by tifffile.

An orientation tag (EXIF, TIFF) turns the pixels, in every format alike; the lights of a capture must carry the same.
Colour profiles are ignored; what the numbers mean is said elsewhere (`afrd.imaging.pixels`).
"""

import io
import logging
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
import tifffile
from PIL import Image

from afrd.datasets import orientation
from afrd.datasets.plain_tiles import plain_tiles
from afrd.datasets.problems import ProblemError
from afrd.imaging.mosaic import is_mosaic

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"})

_PNG = b"\x89PNG\r\n\x1a\n"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PILLOW_MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX"}
_PILLOW_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error)
_TIFFFILE_DAMAGE = (
    tifffile.TiffFileError,
    ValueError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,  # from a size that is infinite
    struct.error,
)

# Its remarks on damaged files would go to stderr, beside the error that is raised; a program that logs still gets them.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

_RESAVE = "save it as an 8- or 16-bit grey or RGB image"
_REPLACE = "replace it with a whole copy, or remove the capture"
_OPAQUE = "save it without an alpha channel"
_REDUCE = "crop it or reduce its size"
_DEMOSAIC = "let the camera or its software give RGB (demosaiced) or mono pixels, and take it again"


@dataclass(frozen=True)
class Header:
    """Size in pixels as it is seen, bits per channel (8 or 16), and the format: PNG, JPEG, WEBP, BMP or TIFF.

    orientation: 1 to 8, what the tag says must be done to the pixels in the file (TIFF 6.0); 1 is nothing.
    """

    height: int
    width: int
    depth: int
    format: str
    orientation: int = 1

    @classmethod
    def of(cls, height: int, width: int, depth: int, format: str, orientation: int) -> "Header":
        """From the size as it lies in the file. What is no orientation counts as none."""
        orientation = orientation if orientation in range(1, 9) else 1
        return cls(*((width, height) if orientation >= 5 else (height, width)), depth, format, orientation)


def read_header(path: Path) -> Header:
    """The header alone; well under a millisecond.

    Raises ProblemError for a file that is no image, is cut off within its header, or is of a kind that is not read:
    floating point, CMYK, 12- or 32-bit, several pages, planar TIFF.
    """
    try:
        with path.open("rb") as file:
            return _header(file, path)
    except OSError as error:
        raise _unreadable(path, error) from error


def read_image(path: Path) -> np.ndarray:
    """The pixels, [3, H, W] RGB or [1, H, W] grey, uint8 or uint16; a fully opaque alpha channel is dropped.

    Raises ProblemError as `read_header`, and for a damaged or truncated file, one with transparency, or a mosaic.
    """
    return _planes(_pixels(_bytes(path), path), path)


def header_of(data: bytes, name: Path) -> Header:
    """As `read_header`, of a file's content; `name` is for the errors."""
    return _header(io.BytesIO(data), name)


def decode(data: bytes, name: Path) -> np.ndarray:
    """As `read_image`, of a file's content; `name` is for the errors."""
    return _planes(_pixels(data, name), name)


def together(images: Sequence[np.ndarray]) -> np.ndarray:
    """[C, H, W] of each light as [N, C, H, W]; where some are grey and some are not, all as colour."""
    if len({len(image) for image in images}) > 1:
        images = [np.broadcast_to(image, (3, *image.shape[1:])) for image in images]
    return np.stack(images)


def read_mask(path: Path) -> np.ndarray:
    """[H, W] bool: True where any channel is above zero. Raises ProblemError as `read_image`."""
    pixels = _pixels(_bytes(path), path)
    return pixels > 0 if pixels.ndim == 2 else (pixels > 0).any(axis=2)


def _header(file: BinaryIO, path: Path) -> Header:
    start = file.read(33)
    if start.startswith(_PNG):
        return _png_header(start, file, path)
    file.seek(0)
    if start.startswith(_TIFF):
        return _tiff_header(file, path)
    try:
        with Image.open(file, formats=("JPEG", "WEBP", "BMP")) as image:
            if image.mode not in _PILLOW_MODES:
                raise ProblemError(path, f"{image.mode} colours", _RESAVE)
            _require_still(image, path)
            name = "JPEG" if image.format == "MPO" else image.format
            return Header.of(image.height, image.width, 8, name, orientation.in_picture(image, path))
    except Image.DecompressionBombError as error:
        raise ProblemError(path, f"too large: {error}", _REDUCE) from error
    except _PILLOW_DAMAGE as error:
        what = "is empty" if not start else "is not a PNG, JPEG, WebP, TIFF or BMP image, or is damaged"
        raise ProblemError(path, what, _REPLACE) from error


def _png_header(start: bytes, file: BinaryIO, path: Path) -> Header:
    if len(start) < 33 or start[12:16] != b"IHDR" or start[16:24].count(0) == 8:
        raise ProblemError(path, "truncated or damaged PNG (no header)", _REPLACE)
    width, height, bits = struct.unpack(">IIB", start[16:25])
    # 1, 2 and 4 bits are stretched to 8 when decoded
    return Header.of(height, width, max(bits, 8), "PNG", orientation.in_png(file, path))


def _tiff_header(file: BinaryIO, path: Path) -> Header:
    try:
        with tifffile.TiffFile(file) as tiff:
            pages, page = len(tiff.pages), tiff.pages[0]
            height, width, bits = page.imagelength, page.imagewidth, page.bitspersample
            kind = tifffile.SAMPLEFORMAT(page.sampleformat).name
            photometric = tifffile.PHOTOMETRIC(page.photometric).name
            planar = page.samplesperpixel > 1 and page.planarconfig != tifffile.PLANARCONFIG.CONTIG
            alpha = bool(page.extrasamples)
            ends = [at + count for at, count in zip(page.dataoffsets, page.databytecounts, strict=True)]
            whole = bool(ends) and max(ends) <= tiff.filehandle.size
            turn = orientation.in_tiff(page, path)
    except _TIFFFILE_DAMAGE as error:
        raise ProblemError(path, f"truncated or damaged TIFF ({error})", _REPLACE) from error
    if not all(isinstance(side, int) and side > 0 for side in (height, width)):
        raise ProblemError(path, "truncated or damaged TIFF (its size is none)", _REPLACE)
    if not whole:
        raise ProblemError(path, "truncated TIFF", _REPLACE)
    if pages != 1:
        raise ProblemError(path, f"{pages} pages in one TIFF", "save one picture per light")
    if kind != "UINT" or bits not in (1, 8, 16):
        raise ProblemError(path, f"{bits}-bit {kind} pixels; expected 8- or 16-bit unsigned integers", _RESAVE)
    if photometric not in ("MINISBLACK", "RGB", "YCBCR") and (photometric, bits) != ("PALETTE", 8):
        raise ProblemError(path, f"{bits}-bit {photometric} colours", _RESAVE)
    if alpha:
        raise ProblemError(path, "a TIFF with an alpha or extra channel", _OPAQUE)
    if planar:
        raise ProblemError(path, "colour planes stored separately", "save it with interleaved (chunky) RGB pixels")
    return Header.of(height, width, max(bits, 8), "TIFF", turn)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def _planes(pixels: np.ndarray, path: Path) -> np.ndarray:
    """[H, W] or [H, W, 3] as [1, H, W] or [3, H, W]. Raises ProblemError: a mosaic."""
    if pixels.ndim == 3:
        return pixels.transpose(2, 0, 1)
    if is_mosaic(pixels):
        raise ProblemError(path, "a Bayer mosaic: raw colour pixels in one channel", _DEMOSAIC)
    return pixels[None]


def _pixels(data: bytes, path: Path) -> np.ndarray:
    """[H, W] grey or [H, W, 3] RGB, uint8 or uint16."""
    header = _header(io.BytesIO(data), path)
    if header.format == "PNG":
        _require_whole_png(data, path)
    if header.format == "TIFF" and header.orientation != 1:
        data = orientation.without(data)
    pixels = _by_opencv(data, path) if header.format == "TIFF" or header.depth == 16 else _by_pillow(data, path)
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        if pixels[..., 3].min() != np.iinfo(pixels.dtype).max:
            raise ProblemError(path, "the image is partly transparent", _OPAQUE)
        pixels = pixels[..., :3]
    if header.format == "WEBP" and (pixels[..., 1:] == pixels[..., :1]).all():  # which knows no grey
        pixels = pixels[..., 0]
    return orientation.turned(pixels, header.orientation)


def _by_pillow(data: bytes, path: Path) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP", "BMP")) as image:
            _require_still(image, path)
            if image.mode in ("LA", "PA") or "transparency" in image.info:
                return np.asarray(image.convert("RGBA"))
            return np.asarray(image.convert({"1": "L", "P": "RGB", "RGBX": "RGB"}.get(image.mode, image.mode)))
    except Image.DecompressionBombError as error:
        raise ProblemError(path, f"too large: {error}", _REDUCE) from error
    except _PILLOW_DAMAGE as error:
        raise ProblemError(path, f"truncated or damaged ({error})", _REPLACE) from error


def _by_opencv(data: bytes, path: Path) -> np.ndarray:
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        raise ProblemError(path, f"cannot be decoded ({error.err})", _REPLACE) from error
    if pixels is None:
        if data.startswith(_TIFF) and (tiles := plain_tiles(data)) is not None:
            return tiles
        raise ProblemError(path, "truncated or damaged", _REPLACE)
    if pixels.ndim == 3:
        order = [2, 1, 0, 3][: pixels.shape[2]]
        return pixels[..., order]
    return pixels


def _require_still(image: Image.Image, path: Path) -> None:
    # An MPO, as telephones write it, is a JPEG with previews behind the picture.
    if getattr(image, "is_animated", False) and image.format != "MPO":
        raise ProblemError(path, "an animation", "save one picture per light")


def _require_whole_png(data: bytes, path: Path) -> None:
    """Walk the chunks up to IEND and compare their checksums (PNG specification, 5.3 and 5.4)."""
    at, kind = len(_PNG), b""
    while kind != b"IEND":
        if at + 12 > len(data):
            raise ProblemError(path, "truncated PNG", _REPLACE)
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        if end + 4 > len(data):
            raise ProblemError(path, "truncated PNG", _REPLACE)
        if zlib.crc32(memoryview(data)[at + 4 : end]) != int.from_bytes(data[end : end + 4]):
            raise ProblemError(path, "damaged PNG (checksum)", _REPLACE)
        at = end + 4


def _unreadable(path: Path, error: OSError) -> ProblemError:
    return ProblemError(path, f"cannot be read ({error.strerror or error})", "restore the file or its permissions")

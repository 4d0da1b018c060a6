"""A whole capture in one file: a TIFF with a page for each light, or an npz of NumPy. Becomes one PNG a light.

Nothing is decoded before its header has said how large it is, and of an npz no more is unpacked than that says.
"""

import io
import lzma
import math
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

import cv2
import numpy as np

from afrd.datasets.images import decode, header_of
from afrd.datasets.problems import ProblemError
from afrd.station.config import Limits
from afrd.station.refusals import Refused, wrong

FIELD = "capture"
"""Name of the form field that brings it."""
_CLASSIC_TIFF = {b"II*\0": "<", b"MM\0*": ">"}
_TOGETHER = "images"
_NPY_HEADERS: dict[tuple[int, int], Callable] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_DAMAGE = (
    ValueError,
    KeyError,
    OSError,
    EOFError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    NotImplementedError,
    RuntimeError,
)


def unpack(content: bytes, lights: Sequence[str], limits: Limits) -> dict[str, bytes]:
    """Light → PNG. TIFF: its pages in the order of the lights. npz: an array for each light, [H, W] or [H, W, 3], or
    `images`, [N, H, W] or [N, C, H, W] in that order; uint8 or uint16.

    Raises Refused: 422 neither, damaged, or another number of lights; 413 more pixels than allowed.
    """
    if content[:4] in _CLASSIC_TIFF:
        pictures = _from_tiff(content, lights, limits)
    elif content[:4] == b"PK\3\4":
        pictures = _from_npz(content, lights, limits)
    else:
        raise wrong(FIELD, "is neither a TIFF with a page for each light nor an npz of NumPy")
    try:
        return {light: cv2.imencode(".png", picture)[1].tobytes() for light, picture in pictures}
    except cv2.error as error:
        raise wrong(FIELD, "pictures that are none: check their size") from error


def _from_tiff(content: bytes, lights: Sequence[str], limits: Limits) -> Iterator[tuple[str, np.ndarray]]:
    order = _CLASSIC_TIFF[content[:4]]
    try:
        pages = _directories(content, order, len(lights) + 1)
    except struct.error as error:
        raise wrong(FIELD, "truncated or damaged TIFF; replace it") from error
    if len(pages) != len(lights):
        many = f"more than {len(lights)}" if len(pages) > len(lights) else f"{len(pages)}"
        raise wrong(FIELD, f"{many} pages; expected {len(lights)}, one for each of {', '.join(lights)}")
    for light, (at, following) in zip(lights, pages, strict=True):
        page = bytearray(content)  # the same file, that ends with this page
        struct.pack_into(f"{order}I", page, 4, at)
        struct.pack_into(f"{order}I", page, following, 0)
        try:
            header = header_of(bytes(page), Path(light))
            _require_pixels(light, header.height, header.width, limits)
            picture = decode(bytes(page), Path(light))
        except ProblemError as error:
            raise wrong(light, f"{error.problem.what}; {error.problem.fix}") from error
        yield light, np.ascontiguousarray(picture.transpose(1, 2, 0)[..., ::-1])


def _directories(content: bytes, order: str, most: int) -> list[tuple[int, int]]:
    """Of the first pages, `most` at most: where the page's directory is, and where the place of the next one stands."""
    found: list[tuple[int, int]] = []
    (at,) = struct.unpack_from(f"{order}I", content, 4)
    while at and len(found) < most:
        (tags,) = struct.unpack_from(f"{order}H", content, at)
        found.append((at, at + 2 + 12 * tags))
        (at,) = struct.unpack_from(f"{order}I", content, found[-1][1])
    return found


def _from_npz(content: bytes, lights: Sequence[str], limits: Limits) -> Iterator[tuple[str, np.ndarray]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = sorted(archive.namelist())
            if names == [f"{_TOGETHER}.npy"]:
                images = _array(archive, _TOGETHER, limits, len(lights))
                pictures = list(images) if images.ndim in (3, 4) else []
                if len(pictures) != len(lights):
                    raise wrong(FIELD, f"images of shape {list(images.shape)}; expected {len(lights)} lights first")
                if images.ndim == 4:
                    pictures = [picture.transpose(1, 2, 0) for picture in pictures]
            elif names == sorted(f"{light}.npy" for light in lights):
                pictures = [_array(archive, light, limits, 1) for light in lights]
            else:
                raise wrong(FIELD, f"expected one array for each of {', '.join(lights)}, or all as {_TOGETHER}")
    except _DAMAGE as error:
        raise wrong(FIELD, f"truncated or damaged npz ({error}); replace it") from error
    for light, picture in zip(lights, pictures, strict=True):
        if picture.ndim not in (2, 3) or (picture.ndim == 3 and picture.shape[2] not in (1, 3)) or not picture.size:
            raise wrong(light, f"an array of shape {list(picture.shape)}; expected [H, W] or [H, W, 3]")
        yield light, np.ascontiguousarray(picture[..., ::-1] if picture.ndim == 3 else picture)


def _array(archive: zipfile.ZipFile, name: str, limits: Limits, lights: int) -> np.ndarray:
    with archive.open(f"{name}.npy") as file:
        shape, fortran, dtype = _npy_header(file, name)
        if dtype not in (np.uint8, np.uint16):
            raise wrong(FIELD, f"{name}: {dtype} values; expected uint8 or uint16")
        if any(type(n) is not int or n < 0 for n in shape):
            raise wrong(FIELD, f"{name}: an array of shape {list(shape)}")
        pixels = math.prod(shape)
        if pixels > 3 * lights * limits.megapixels * 1e6:
            raise Refused(
                413, f"{FIELD}: {name}: {list(shape)} values; this station takes {limits.megapixels:g} megapixels"
            )
        data = file.read(pixels * dtype.itemsize)  # whatever an archive says, no more is unpacked
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


def _npy_header(file: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether in the order of Fortran, and kind of values. Raises ValueError: damaged."""
    try:
        return _NPY_HEADERS[np.lib.format.read_magic(file)](file)
    except Exception as error:  # it is parsed as Python, which fails in as many ways as there are
        raise ValueError(f"{name}: damaged header") from error


def _require_pixels(light: str, height: int, width: int, limits: Limits) -> None:
    if height * width > limits.megapixels * 1e6:
        most = f"this station takes {limits.megapixels:g} megapixels"
        raise Refused(413, f"light {light}: {width} × {height} pixels; {most}")

"""Uploads that no station should take: (name, request, status). A request is made by `httpx` as it stands here."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator

import numpy as np
import tifffile
from PIL import Image

Case = tuple[str, dict, set[int]]


def chunk(kind: bytes, data: bytes) -> bytes:
    """One of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_bomb(side: int = 60_000) -> bytes:
    """A few kilobytes that say they are `side`² pixels."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(10_000)))
        + chunk(b"IEND", b"")
    )


def lying_png(good: bytes) -> bytes:
    """Pixels of 64² behind a header of 64 × 65."""
    data = zlib.compress(bytes((1 + 3 * 64) * 64))
    header = struct.pack(">IIBBBBB", 64, 65, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def text_bomb(good: bytes) -> bytes:
    """A compressed text of 100 MB in a small picture."""
    text = b"note\0\0" + zlib.compress(bytes(100_000_000), 9)
    return good[:33] + chunk(b"zTXt", text) + good[33:]


def encoded(format: str, size: tuple[int, int] = (64, 64), mode: str = "RGB", **options) -> bytes:
    """A flat picture in any format of Pillow."""
    buffer = io.BytesIO()
    Image.new(mode, size, 90 if mode == "L" else None).save(buffer, format, **options)
    return buffer.getvalue()


def tiff(array: np.ndarray, **options) -> bytes:
    """An array as TIFF."""
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, array, **options)
    return buffer.getvalue()


def archive() -> bytes:
    """A zip whose one member climbs out of its folder."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("../../escaped.png", b"x" * 1000)
    return buffer.getvalue()


def turned(good: bytes, orientation: bytes) -> bytes:
    """With an EXIF block of one orientation tag, or of whatever else."""
    exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + orientation + b"\0\0\0\0"
    return good[:33] + chunk(b"eXIf", exif) + good[33:]


CONTENTS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda good: b"",
    "one byte": lambda good: b"\x89",
    "text": lambda good: b"this is not an image\n" * 50,
    "html": lambda good: b"<html><script>alert(1)</script></html>",
    "svg": lambda good: b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"/>',
    "elf": lambda good: b"\x7fELF" + bytes(500),
    "zip": lambda good: archive(),
    "gif": lambda good: encoded("GIF"),
    "ico": lambda good: encoded("ICO"),
    "ppm": lambda good: encoded("PPM"),
    "pdf": lambda good: encoded("PDF"),
    "eps": lambda good: encoded("EPS"),
    "tga": lambda good: encoded("TGA"),
    "npy": lambda good: b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,), }" + b" " * 60,
    "pickle": lambda good: b"\x80\x04cos\nsystem\n(S'touch /tmp/escaped'\ntR.",
    "bomb": lambda good: png_bomb(),
    "bomb at the limit of a header": lambda good: png_bomb(2**31 - 1),
    "width of zero": lambda good: good[:16] + bytes(4) + good[20:],
    "lying header": lying_png,
    "text bomb": text_bomb,
    "cut in its header": lambda good: good[:20],
    "cut in half": lambda good: good[: len(good) // 2],
    "without its end": lambda good: good[:-12],
    "damaged": lambda good: good[:200] + bytes(b ^ 0x55 for b in good[200:210]) + good[210:],
    "cmyk": lambda good: encoded("JPEG", mode="CMYK"),
    "jpeg cut in half": lambda good: encoded("JPEG", (64, 64))[:300],
    "webp animation": lambda good: encoded("WEBP", save_all=True, append_images=[Image.new("RGB", (64, 64), "red")]),
    "tiff of floats": lambda good: tiff(np.zeros((64, 64), np.float32)),
    "tiff of two pages": lambda good: tiff(np.zeros((2, 64, 64, 3), np.uint8), photometric="rgb"),
    "tiff cut in half": lambda good: tiff(np.zeros((64, 64, 3), np.uint8), photometric="rgb")[:2000],
    "tiff of nothing": lambda good: b"II*\0\xff\xff\xff\xff",
    "tiff whose tags go round": lambda good: b"II*\0\x08\0\0\0\0\0\x08\0\0\0",
    "tiff of too many tags": lambda good: b"II*\0\x08\0\0\0\xff\xff" + bytes(50),
    "another size": lambda good: encoded("PNG", (64, 32)),
    "another depth": lambda good: tiff(np.zeros((64, 64, 3), np.uint16), photometric="rgb"),
    "too small": lambda good: encoded("PNG", (1, 1)),
    "turned": lambda good: turned(good, b"\x06\0\0\0"),
    "exif cut off": lambda good: good[:33] + chunk(b"eXIf", b"II*\0\xff") + good[33 : len(good) // 2],
    "exif of nonsense": lambda good: good[:33] + chunk(b"eXIf", bytes(range(256))) + good[40:],
    "mosaic of two bytes": lambda good: tiff(np.zeros((64, 64), np.int16)),
    "transparent": lambda good: encoded("PNG", mode="RGBA"),
}
"""What stands in place of one light's image; all of them are refused with 422 or 413."""

NAMES = (
    "../../escaped",
    "/tmp/escaped",
    "top/../top",
    "..",
    "top\0",
    "TOP",
    "top\r\nX-Escaped: yes",
    "ünïcödé",
    "a" * 5000,
    "'; DROP TABLE captures; --",
)
"""Field names that are no light of the station."""

IDS = (
    "../escaped",
    "/etc/passwd",
    "..",
    ".hidden",
    "a/b",
    "a\\b",
    "",
    " ",
    "a" * 65,
    "a\nb",
    "é",
    "a\0b",
    "con?",
    "%2e%2e",
)
"""Ids that are refused."""


def bundles(good: bytes) -> Iterator[tuple[str, bytes]]:
    """Captures in one file that are none."""
    page = np.full((3, 64, 64), 90, np.uint8)
    whole = tiff(page, photometric="minisblack")
    yield "a bundle that is a picture", good
    yield "a bundle of two pages", tiff(page[:2], photometric="minisblack")
    yield "a bundle of many pages", tiff(np.zeros((200, 64, 64), np.uint8), photometric="minisblack")
    yield "a bundle cut short", whole[:-100]
    yield "a bundle of nothing", whole[:8]
    loop = bytearray(whole)
    (first,) = struct.unpack_from("<I", loop, 4)
    (tags,) = struct.unpack_from("<H", loop, first)
    struct.pack_into("<I", loop, first + 2 + 12 * tags, first)
    yield "a bundle whose pages go round", bytes(loop)
    struct.pack_into("<I", loop, 4, 0xFFFFFFF0)
    yield "a bundle whose pages lie outside", bytes(loop)
    yield "a bundle that climbs", archive()
    for name, arrays in (
        ("floats", {"images": np.zeros((3, 64, 64))}),
        ("another number of lights", {"images": np.zeros((2, 64, 64), np.uint8)}),
        ("five dimensions", {"images": np.zeros((3, 1, 1, 64, 64), np.uint8)}),
        ("other lights", {"left": page[0], "right": page[0], "bottom": page[0]}),
        ("no pixels", {"images": np.zeros((3, 0, 64), np.uint8)}),
        ("two colours", {"images": np.zeros((3, 2, 64, 64), np.uint8)}),
    ):
        yield f"a bundle of {name}", npz(**arrays)
    objects = io.BytesIO()
    np.savez(objects, images=np.array([{}] * 3, dtype=object), allow_pickle=True)
    yield "a bundle of pickles", objects.getvalue()
    yield "a bundle bomb", npz(images=np.zeros((3, 40_000, 2_000), np.uint8))
    huge = npy_header((3, 10**9, 10**9)) + bytes(100)
    yield "a bundle that says it is huge", zipped("images.npy", huge)
    yield "a bundle shorter than it says", zipped("images.npy", npy_header((3, 64, 64)) + bytes(100))


def npz(**arrays: np.ndarray) -> bytes:
    """As NumPy writes it, compressed."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def npy_header(shape: tuple[int, ...]) -> bytes:
    """Of an array of bytes."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def zipped(name: str, content: bytes) -> bytes:
    """An archive of one member."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(name, content)
    return buffer.getvalue()


def cases(good: dict[str, bytes]) -> Iterator[Case]:
    """Every hostile upload, around one good capture."""

    def files(contents: dict[str, bytes]) -> list:
        return [(light, (f"{light}.png", content, "image/png")) for light, content in contents.items()]

    for name, make in CONTENTS.items():
        yield name, {"files": files(good | {"top": make(good["top"])})}, {413, 422}
    for name in NAMES:
        yield f"light named {name[:20]!r}", {"files": files(good | {name: good["top"]})}, {400, 422}
    for id in IDS:
        yield f"id {id[:20]!r}", {"files": files(good), "data": {"id": id}}, {422}
    yield "file name that climbs", {"files": [*files(good)[:2], ("top", ("../../escaped.png", b"x"))]}, {422}
    yield "a light missing", {"files": files(good)[:2]}, {422}
    yield "no lights", {"data": {"id": "a"}}, {415, 422}
    yield "a light twice", {"files": [*files(good), *files(good)[:1]]}, {422}
    yield "twenty lights", {"files": files({f"light {k}": good["top"] for k in range(20)})}, {422}
    yield "many fields", {"files": files(good), "data": {f"field {k}": "x" for k in range(50)}}, {422}
    yield "a huge text field", {"files": files(good), "data": {"id": "x" * 3_000_000}}, {413, 422}
    yield "a light as text", {"files": files(good)[:2], "data": {"top": "x"}}, {422}
    for name, content in bundles(good["top"]):
        yield name, {"files": [("capture", ("capture", content))]}, {413, 422}
    yield "a bundle and a light", {"files": [("capture", ("c", archive())), *files(good)[:1]]}, {422}
    yield "json", {"json": {"top": "x"}}, {415}
    yield "no boundary", {"content": b"xxx", "headers": {"content-type": "multipart/form-data"}}, {422}
    form = "multipart/form-data; boundary=b"
    yield "no parts", {"content": b"xxx", "headers": {"content-type": form}}, {422}
    yield (
        "cut form",
        {"content": b'--b\r\nContent-Disposition: form-data; name="top"', "headers": {"content-type": form}},
        {422},
    )
    yield "too many bytes", {"files": files(good | {"top": bytes(7_000_000)})}, {413}
    yield "nothing", {"content": b""}, {415}

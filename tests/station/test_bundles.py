"""Bundles that lie about themselves: refused before they are unpacked."""

import io
import struct
import zipfile

import numpy as np
import pytest

from afrd.station.bundles import unpack
from afrd.station.config import Limits
from afrd.station.refusals import Refused

LIGHTS = ("left", "right")


def archive(header: str, data: bytes, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An npz of one array `images` with this header."""
    text = header.encode().ljust(118) + b"\n"
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as out:
        out.writestr("images.npy", content)
    return file.getvalue()


@pytest.mark.parametrize("shape", ["(-1, 64, 64)", "(2, -64, -64)"])
def test_a_negative_size_unpacks_nothing(shape):
    lie = archive(f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}", bytes(50_000_000))
    assert len(lie) < 100_000
    with pytest.raises(Refused, match="shape") as refused:
        unpack(lie, LIGHTS, Limits(megapixels=1))
    assert refused.value.status == 422


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '|u1', ",
        "(((((",
        "'''",
        "1\n  2\n 3",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (True, 5, 5), }",
        "{[]: 1}",
        "-" * 9000 + "1",
    ],
)
def test_a_damaged_header_of_an_array_is_named(header):
    with pytest.raises(Refused, match="capture: ") as refused:
        unpack(archive(header, bytes(50)), LIGHTS, Limits())
    assert refused.value.status == 422


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_damaged_compression_is_named(compression):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 50, 2 * 64 * 64, np.uint8).tobytes()
    whole = archive("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 64, 64), }", pixels, compression)
    assert set(unpack(whole, LIGHTS, Limits())) == set(LIGHTS)
    start = len(whole) // 3
    for seed in range(20):
        broken = bytearray(whole)
        broken[start : start + 40] = np.random.default_rng(seed).bytes(40)
        with pytest.raises(Refused) as refused:
            unpack(bytes(broken), LIGHTS, Limits())
        assert refused.value.status == 422

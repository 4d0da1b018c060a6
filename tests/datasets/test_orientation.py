"""An orientation tag that cannot be understood is a named problem: the picture might lie on its side."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from afrd.capture import LightRig
from afrd.datasets import check_dataset, read_captures
from afrd.datasets.images import read_header, read_image
from afrd.errors import DatasetError
from captures import write_folder

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 20, 3), np.uint8)
FIX = "turn the picture as it is to be seen, and save it again without metadata"


def _exif(orientation: int = 6) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def _with_exif(path: Path, block: bytes) -> None:
    """Into a sound PNG, whole and with the right checksum."""
    data = path.read_bytes()
    chunk = b"eXIf" + block
    chunk = struct.pack(">I", len(block)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    path.write_bytes(data[:33] + chunk + data[33:])


def _doubled(block: bytes) -> bytes:
    """The tag's count set to 2."""
    order = ">" if block.startswith(b"MM") else "<"
    at = block.index(struct.pack(f"{order}HH", 0x0112, 3)) + 4
    return block[:at] + struct.pack(f"{order}I", 2) + block[at + 4 :]


DAMAGED = {
    "garbage": b"Exif__garbage",
    "behind its prefix": b"Exif\0\0garbage, too",
    "cut in the header": _exif()[6:12],
    "cut in the tag": _exif()[6:20],
    "leads away": b"II*\0" + struct.pack("<I", 9000),
}


@pytest.mark.parametrize("block", DAMAGED.values(), ids=DAMAGED)
@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_damaged_exif_is_a_named_problem(tmp_path: Path, suffix: str, block: bytes) -> None:
    path = tmp_path / f"image.{suffix}"
    if suffix == "png":
        Image.fromarray(PIXELS).save(path)
        _with_exif(path, block)
    else:  # where it stands behind a prefix of its own
        Image.fromarray(PIXELS).save(path, exif=b"Exif\0\0" + block.removeprefix(b"Exif\0\0"))
    for reads in (read_header, read_image):
        with pytest.raises(DatasetError) as error:
            reads(path)
        assert str(error.value) == (f"{path}: damaged EXIF data; expected them to say how the picture is turned; {FIX}")


def test_check_and_predict_name_the_file(tmp_path: Path) -> None:
    write_folder(tmp_path, size=16)
    path = tmp_path / "train/good/001/top.png"
    _with_exif(path, b"Exif__garbage")
    assert [problem.path for problem in check_dataset(tmp_path)] == [path]
    with pytest.raises(DatasetError, match=r"001/top\.png: damaged EXIF data"):
        read_captures([tmp_path / "train/good"], LightRig(("left", "right", "top")))


@pytest.mark.parametrize("block", [b"", _exif(1)[6:], Image.Exif().tobytes()[6:], _exif()[6:] + b"cut later"])
def test_a_sound_block_is_read(tmp_path: Path, block: bytes) -> None:
    path = tmp_path / "image.png"
    Image.fromarray(PIXELS).save(path)
    _with_exif(path, block)
    assert read_header(path).orientation == (6 if block.endswith(b"later") else 1)
    assert read_image(path).shape == ((3, 20, 12) if block.endswith(b"later") else (3, 12, 20))


def test_a_tag_of_two_numbers_in_exif(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    Image.fromarray(PIXELS).save(path)
    _with_exif(path, _doubled(_exif()[6:]))
    with pytest.raises(DatasetError, match=rf"image\.png: an orientation tag of type 3 with 2 values; .*; {FIX}"):
        read_header(path)


@pytest.mark.parametrize(
    ("kind", "count", "value", "found"),
    [
        (3, 2, (6, 6), "of type 3 with 2 values"),
        (1, 1, 6, "of type 1 with 1 values"),
        ("s", 0, "6", "of type 2 with 2 values"),
        (12, 1, 6.0, "of type 12 with 1 values"),
    ],
)
def test_a_tag_of_another_type_in_a_tiff(tmp_path: Path, kind, count, value, found) -> None:
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, PIXELS, photometric="rgb", extratags=[(0x0112, kind, count, value, True)])
    for reads in (read_header, read_image):
        with pytest.raises(DatasetError) as error:
            reads(path)
        assert str(error.value) == f"{path}: an orientation tag {found}; expected one number, of type 3; {FIX}"


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_tag_of_32_bits_turns_alike(tmp_path: Path, order: str) -> None:
    path = tmp_path / "image.tif"
    extra = [(0x0112, 4, 1, 6, True)]
    tifffile.imwrite(path, PIXELS, photometric="rgb", byteorder=order, extratags=extra)
    np.testing.assert_array_equal(read_image(path), np.rot90(PIXELS, -1).transpose(2, 0, 1))

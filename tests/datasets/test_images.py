"""Pixels come back exactly as written, in every format and depth, and no damaged file is taken for a whole one."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from afrd.datasets.images import read_header, read_image, read_mask
from afrd.errors import DatasetError
from captures import mosaic

RGB8 = np.random.default_rng(0).integers(0, 256, (13, 17, 3), np.uint8)
RGB16 = np.random.default_rng(1).integers(0, 65536, (13, 17, 3), np.uint16)
SMOOTH = np.stack([np.add.outer(np.arange(48), np.arange(64)) + 40 * c for c in range(3)], -1).astype(np.uint8)


def _pillow(array: np.ndarray, path: Path, **options: object) -> None:
    Image.fromarray(array).save(path, **options)


def _opencv(array: np.ndarray, path: Path) -> None:
    assert cv2.imwrite(str(path), array[..., ::-1] if array.ndim == 3 else array)


def _png(array: np.ndarray, colour_type: int) -> bytes:
    """A 16-bit PNG made by hand: alpha and grey-alpha cannot be written otherwise."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = array.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    head = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def _with_alpha(array: np.ndarray, alpha: int) -> np.ndarray:
    return np.dstack([array, np.full(array.shape[:2], alpha, array.dtype)])


EXACT = {
    "png": lambda a, p: _pillow(a, p),
    "webp": lambda a, p: _pillow(a, p, lossless=True),
    "bmp": lambda a, p: _pillow(a, p),
    "tif": lambda a, p: _pillow(a, p),
    "lzw.tif": lambda a, p: _pillow(a, p, compression="tiff_lzw"),
    # from here on 8- and 16-bit
    "deflate.tiff": lambda a, p: tifffile.imwrite(p, a, compression="zlib", predictor=True, photometric=_colours(a)),
    "16.png": lambda a, p: _opencv(a, p),
    "16lzw.tif": lambda a, p: _opencv(a, p),
    "big-endian.tif": lambda a, p: tifffile.imwrite(p, a, byteorder=">", photometric=_colours(a)),
    "bigtiff.tif": lambda a, p: tifffile.imwrite(p, a, bigtiff=True, photometric=_colours(a)),
}

KINDS = [(kind, 8) for kind in EXACT] + [(kind, 16) for kind in list(EXACT)[5:]]


def _colours(array: np.ndarray) -> str:
    return "rgb" if array.ndim == 3 else "minisblack"


@pytest.mark.parametrize("grey", [False, True], ids=["rgb", "grey"])
@pytest.mark.parametrize(("kind", "depth"), KINDS)
def test_lossless_pixels_are_exact(tmp_path: Path, kind: str, grey: bool, depth: int) -> None:
    array = (RGB8 if depth == 8 else RGB16)[..., 0 if grey else slice(None)]
    array = np.ascontiguousarray(array)
    path = tmp_path / f"image.{kind}"
    EXACT[kind](array, path)
    expected = array[None] if grey else array.transpose(2, 0, 1)
    image = read_image(path)
    assert image.dtype == array.dtype
    np.testing.assert_array_equal(image, expected)
    header = read_header(path)
    assert (header.height, header.width, header.depth) == (13, 17, depth)


@pytest.mark.parametrize("tile", [16, 32, 48, 64])
@pytest.mark.parametrize("array", [RGB8, RGB16, RGB8[..., 0], RGB16[..., 0]], ids=["rgb8", "rgb16", "grey8", "grey16"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_tiled_pixels_are_exact(tmp_path: Path, array: np.ndarray, tile: int, order: str) -> None:
    array = np.kron(array, np.ones((5, 5, 1)[: array.ndim], array.dtype))  # several tiles, the last ones not full
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, array, tile=(tile, tile), photometric=_colours(array), byteorder=order)
    image = read_image(path)
    assert image.dtype == array.dtype
    np.testing.assert_array_equal(image, array[None] if array.ndim == 2 else array.transpose(2, 0, 1))


@pytest.mark.parametrize("tag", ["ImageLength", "BitsPerSample"])
def test_infinite_numbers_in_a_tiff_are_damage(tmp_path: Path, tag: str) -> None:
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, RGB8, photometric="rgb")
    with tifffile.TiffFile(path) as tiff:
        code, at = tiff.pages[0].tags[tag].code, tiff.pages[0].tags[tag].offset
    data = path.read_bytes()
    path.write_bytes(data[:at] + struct.pack("<HHIf", code, 11, 1, np.inf) + data[at + 12 :])
    with pytest.raises(DatasetError, match=r"image\.tif: truncated or damaged TIFF \("):
        read_header(path)


@pytest.mark.parametrize("size", [("TileWidth", 2, b"16"), ("TileLength", 11, np.nan)])
def test_tiles_whose_sizes_are_no_numbers_are_damage(tmp_path: Path, size: tuple) -> None:
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, RGB8[..., 0], tile=(16, 16), photometric="minisblack")
    with tifffile.TiffFile(path) as tiff:
        code, at = tiff.pages[0].tags[size[0]].code, tiff.pages[0].tags[size[0]].offset
    data = path.read_bytes()
    value = size[2] if isinstance(size[2], bytes) else struct.pack("<f", size[2])
    path.write_bytes(data[:at] + struct.pack("<HHI4s", code, size[1], 1, value) + data[at + 12 :])
    with pytest.raises(DatasetError, match=r"image\.tif: truncated or damaged"):
        read_image(path)


@pytest.mark.parametrize("change", [("TileByteCounts", 100), ("TileOffsets", 0)])
def test_tiles_that_are_not_there_in_full_are_damage(tmp_path: Path, change: tuple[str, int]) -> None:
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, RGB8[..., 0], tile=(16, 16), photometric="minisblack")
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        tag = tiff.pages[0].tags[change[0]]
        tag.overwrite((change[1], *tag.value[1:]))
    with pytest.raises(DatasetError, match=r"image\.tif: truncated or damaged; replace it"):
        read_image(path)


def test_jpeg_is_close_and_rgb(tmp_path: Path) -> None:
    _pillow(SMOOTH, tmp_path / "image.jpg", quality=95)
    assert np.abs(read_image(tmp_path / "image.jpg").astype(int) - SMOOTH.transpose(2, 0, 1)).max() <= 8


def test_a_telephones_jpeg_with_a_preview_behind_it_is_its_first_picture(tmp_path: Path) -> None:
    frames = [Image.fromarray(SMOOTH), Image.fromarray(SMOOTH[::4, ::4])]
    frames[0].save(tmp_path / "image.jpg", "MPO", save_all=True, append_images=frames[1:], quality=95)
    assert read_header(tmp_path / "image.jpg").format == "JPEG"
    assert np.abs(read_image(tmp_path / "image.jpg").astype(int) - SMOOTH.transpose(2, 0, 1)).max() <= 8


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "16.png"])
def test_orientation_tag_turns_the_pixels_in_every_format_alike(tmp_path: Path, suffix: str, orientation: int) -> None:
    """As Pillow turns them."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    path, plain = tmp_path / f"image.{suffix}", tmp_path / "plain.png"
    Image.fromarray(SMOOTH).save(plain, exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(plain))).transpose(2, 0, 1).astype(int)
    if suffix == "tif":
        tifffile.imwrite(path, SMOOTH, photometric="rgb", extratags=[(0x0112, 3, 1, orientation, True)])
    elif suffix == "16.png":
        deep = _png(SMOOTH.astype(np.uint16) * 257, 2)
        chunk = b"eXIf" + exif.tobytes()[6:]
        chunk = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        path.write_bytes(deep[:33] + chunk + deep[33:])
        expected *= 257
    else:
        Image.fromarray(SMOOTH).save(path, exif=exif, quality=95)
    image, header = read_image(path), read_header(path)
    assert image.shape[1:] == (header.height, header.width) == expected.shape[1:]
    assert np.abs(image.astype(int) - expected).max() <= (16 if suffix in ("jpg", "webp") else 0)


def test_palette_bilevel_and_few_bits(tmp_path: Path) -> None:
    palette = Image.fromarray(RGB8).quantize(16)
    palette.save(tmp_path / "palette.png", bits=4)
    palette.save(tmp_path / "palette.tif")
    expected = np.asarray(palette.convert("RGB")).transpose(2, 0, 1)
    np.testing.assert_array_equal(read_image(tmp_path / "palette.png"), expected)
    np.testing.assert_array_equal(read_image(tmp_path / "palette.tif"), expected)
    bits = RGB8[..., 0] > 127
    Image.fromarray(bits).save(tmp_path / "bits.png")
    Image.fromarray(bits).save(tmp_path / "bits.tif")
    for name in ("bits.png", "bits.tif"):
        np.testing.assert_array_equal(read_image(tmp_path / name)[0], bits * np.uint8(255))


def test_opaque_alpha_is_dropped_and_transparency_refused(tmp_path: Path) -> None:
    _pillow(_with_alpha(RGB8, 255), tmp_path / "opaque8.png")
    (tmp_path / "opaque16.png").write_bytes(_png(_with_alpha(RGB16, 65535), 6))
    (tmp_path / "opaque-grey16.png").write_bytes(_png(np.dstack([RGB16[..., 0], np.full((13, 17), 65535)]), 4))
    np.testing.assert_array_equal(read_image(tmp_path / "opaque8.png"), RGB8.transpose(2, 0, 1))
    np.testing.assert_array_equal(read_image(tmp_path / "opaque16.png"), RGB16.transpose(2, 0, 1))
    np.testing.assert_array_equal(read_image(tmp_path / "opaque-grey16.png")[0], RGB16[..., 0])
    _pillow(_with_alpha(RGB8, 254), tmp_path / "clear8.png")
    (tmp_path / "clear16.png").write_bytes(_png(_with_alpha(RGB16, 65534), 6))
    for name in ("clear8.png", "clear16.png"):
        with pytest.raises(DatasetError, match=rf"{name}: .*transparent.*without an alpha channel"):
            read_image(tmp_path / name)


def _refused(folder: Path) -> dict[str, Path]:
    tifffile.imwrite(folder / "float.tif", RGB8.astype(np.float32), photometric="rgb")
    tifffile.imwrite(folder / "signed.tif", RGB8.astype(np.int16), photometric="rgb")
    tifffile.imwrite(folder / "deep.tif", RGB8.astype(np.uint32), photometric="rgb")
    planes = np.ascontiguousarray(RGB16.transpose(2, 0, 1))
    tifffile.imwrite(folder / "planar.tif", planes, photometric="rgb", planarconfig="separate")
    tifffile.imwrite(folder / "pages.tif", np.stack([RGB8, RGB8]), photometric="rgb")
    tifffile.imwrite(folder / "inverted.tif", RGB16[..., 0], photometric="miniswhite")
    tifffile.imwrite(folder / "alpha.tif", _with_alpha(RGB16, 65535), photometric="rgb", extrasamples=["unassalpha"])
    tifffile.imwrite(folder / "mosaic.tif", mosaic(np.dstack([SMOOTH[..., 0]] * 3) * np.array([0.6, 1, 0.4])))
    Image.fromarray(RGB8).convert("CMYK").save(folder / "cmyk.jpg")
    frames = [Image.fromarray(RGB8), Image.fromarray(RGB8[::-1])]
    for name in ("moving.webp", "moving.png"):
        frames[0].save(folder / name, save_all=True, append_images=frames[1:])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_text("no picture at all")
    return {path.name: path for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("name", "what", "fix"),
    [
        ("float.tif", "32-bit IEEEFP", "8- or 16-bit grey or RGB"),
        ("signed.tif", "16-bit INT pixels", "8- or 16-bit grey or RGB"),
        ("deep.tif", "32-bit UINT", "8- or 16-bit grey or RGB"),
        ("planar.tif", "planes stored separately", "interleaved"),
        ("pages.tif", "2 pages", "one picture per light"),
        ("inverted.tif", "MINISWHITE", "grey or RGB"),
        ("alpha.tif", "alpha", "without an alpha channel"),
        ("mosaic.tif", "Bayer mosaic", "give RGB (demosaiced) or mono pixels"),
        ("cmyk.jpg", "CMYK", "grey or RGB"),
        ("moving.webp", "animation", "one picture per light"),
        ("moving.png", "animation", "one picture per light"),
        ("empty.png", "is empty", "replace it"),
        ("text.png", "is not a PNG, JPEG, WebP, TIFF or BMP image", "replace it"),
        ("absent.png", "cannot be read", "restore the file"),
    ],
)
def test_refused_files_name_the_reason_and_the_mend(tmp_path: Path, name: str, what: str, fix: str) -> None:
    path = _refused(tmp_path).get(name, tmp_path / name)
    with pytest.raises(DatasetError) as error:
        read_image(path)
    assert str(path) in str(error.value)
    assert what in str(error.value)
    assert fix in str(error.value)


@pytest.mark.parametrize(("kind", "depth"), [("jpg", 8), *KINDS])
def test_a_file_cut_off_anywhere_is_refused(
    tmp_path: Path, kind: str, depth: int, capfd: pytest.CaptureFixture
) -> None:
    whole, cut = tmp_path / f"whole.{kind}", tmp_path / f"cut.{kind}"
    EXACT.get(kind, _pillow)(RGB8 if depth == 8 else RGB16, whole)
    data, pixels = whole.read_bytes(), read_image(whole)
    for length in sorted({*range(0, min(len(data), 300)), *range(300, len(data), 29), len(data) - 1}):
        cut.write_bytes(data[:length])
        try:
            left = read_image(cut)
        except DatasetError as error:
            assert "cut." in str(error) and "replace it" in str(error)
        else:  # what is cut off may be padding behind the last pixel
            assert kind == "bmp", f"{length} of {len(data)} bytes were taken for a whole {kind}"
            np.testing.assert_array_equal(left, pixels)
    capfd.readouterr()  # the libraries' own words on stderr


@pytest.mark.parametrize("suffix", ["png", "bmp"])
def test_more_pixels_than_the_decoder_takes(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _pillow(RGB8, tmp_path / f"image.{suffix}")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(DatasetError, match=r"image\.\w+: too large: .*; crop it or reduce its size"):
        read_image(tmp_path / f"image.{suffix}")


def test_one_flipped_bit_in_a_png_is_noticed(tmp_path: Path) -> None:
    _opencv(RGB16, tmp_path / "image.png")
    data = bytearray((tmp_path / "image.png").read_bytes())
    data[len(data) // 2] ^= 8
    (tmp_path / "image.png").write_bytes(data)
    with pytest.raises(DatasetError, match=r"damaged PNG \(checksum\); replace it"):
        read_image(tmp_path / "image.png")


def test_a_mask_is_true_above_zero(tmp_path: Path) -> None:
    labels = np.zeros((5, 6), np.uint8)
    labels[1, 2], labels[3, 4] = 1, 255
    Image.fromarray(labels).save(tmp_path / "grey.png")
    Image.fromarray(np.dstack([labels * 0, labels, labels * 0])).save(tmp_path / "rgb.png")
    for name in ("grey.png", "rgb.png"):
        np.testing.assert_array_equal(read_mask(tmp_path / name), labels > 0)

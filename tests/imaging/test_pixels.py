"""What numbers in files mean: hand-computed values, and a camera's depth that is never guessed in silence."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.ndimage import gaussian_filter
from skimage.color import rgb2xyz

from afrd.datasets import check_dataset, open_dataset, verify
from afrd.datasets.images import read_image
from afrd.errors import DatasetError
from afrd.families.joint import JointConfig
from afrd.imaging import Imaging, ImagingOptions, Pixels
from afrd.imaging.mosaic import is_mosaic
from afrd.imaging.pixels import to_linear, to_srgb
from afrd.training import train
from captures import mosaic, write_folder, write_image, write_lights


def test_eight_and_sixteen_bits_stay_as_they_are() -> None:
    eight = np.arange(256, dtype=np.uint8)
    assert Pixels(bits=8).common(eight) is eight
    sixteen = np.arange(65536, dtype=np.uint16)
    assert Pixels(bits=16).common(sixteen) is sixteen


def test_twelve_bits_and_black_level_by_hand() -> None:
    values = np.array([0, 64, 2048, 4095], np.uint16)
    assert Pixels(bits=12).common(values).tolist() == [0, 1024, 32776, 65535]
    assert Pixels(bits=12, black=64).common(values).tolist() == [0, 0, round(1984 / 4031 * 65535), 65535]
    assert Pixels(bits=8, black=55).common(np.array([0, 55, 155, 255], np.uint8)).tolist() == [0, 0, 128, 255]
    assert Pixels(bits=8).common(np.array([0, 7, 255], np.uint16)).tolist() == [0, 7, 255]


def test_the_transfer_curve_is_that_of_srgb() -> None:
    """skimage's is another implementation; grey's Y is its linear light."""
    values = np.linspace(0, 1, 1001)
    light = rgb2xyz(np.repeat(values[:, None], 3, 1))[:, 1]
    np.testing.assert_allclose(to_linear(values), light, atol=1e-6)
    np.testing.assert_allclose(to_srgb(to_linear(values)), values, atol=1e-5)
    linear = Pixels(bits=12, transfer="linear").common(np.array([0, 819, 4095], np.uint16))  # a fifth is 0.484529 coded
    np.testing.assert_allclose(linear / 65535, [0, 0.484529, 1], atol=2e-5)


def test_values_that_do_not_fit_have_a_problem() -> None:
    assert Pixels(bits=12).problem(np.array([4095], np.uint16)) is None
    assert "values up to 4096" in Pixels(bits=12).problem(np.array([4096], np.uint16))[0]
    assert "8-bit" in Pixels(bits=12).problem(np.array([5], np.uint8))[0]
    with pytest.raises(ValidationError, match="black 4095: expected less than white"):
        Pixels(bits=12, black=4095)


@pytest.fixture
def twelve(tmp_path: Path) -> Path:
    """Captures of a 12-bit camera in 16-bit files."""
    for (split, id_), capture in write_folder(tmp_path).items():
        label, own = id_.rsplit("-", 1)
        for light, image in zip(("left", "right", "top"), capture.images, strict=True):
            write_image(tmp_path / split / label / own / f"{light}.png", image.astype(np.uint16) * 16)
    return tmp_path


def test_twelve_bits_in_sixteen_are_noticed_and_said(twelve: Path) -> None:
    captures = open_dataset(twelve, split="train")
    with pytest.warns(UserWarning, match="16-bit files whose largest value is .*: read as 12 bits"):
        capture = captures[0]
    assert capture.imaging.pixels == captures.pixels == Pixels(bits=12)
    assert 40000 < capture.images.max() <= 65535
    assert captures.subset([1]).pixels == Pixels(bits=12)


def test_a_later_model_reads_values_as_the_earlier_one(tmp_path: Path) -> None:
    """Its captures may all be darker than white at a smaller depth."""

    class Enough(Exception):
        pass

    def stop(imaging: Imaging) -> None:
        seen.append(imaging)
        raise Enough

    seen: list[Imaging] = []
    write_folder(tmp_path, {"train": {"good": 4}, "val": {"good": 4}}, size=64, masks=False)
    for path in tmp_path.rglob("*.png"):
        write_image(path, read_image(path).astype(np.uint16) * 2)  # up to 510
    train_set, held_out = (open_dataset(tmp_path, split=split) for split in ("train", "val"))
    earlier = Imaging(pixels=Pixels(bits=12, black=4))
    config = JointConfig(image_size=64, false_alarm_rate=0.5)
    with pytest.raises(Enough):
        train(train_set, tmp_path / "run", config, holdout=held_out, region_of=earlier, on_imaging=stop)
    assert [imaging.pixels for imaging in seen] == [earlier.pixels]


def test_lights_yaml_says_what_the_pictures_are(twelve: Path, recwarn: pytest.WarningsRecorder) -> None:
    write_lights(twelve / "lights.yaml", ("left", "right", "top"))
    with (twelve / "lights.yaml").open("a") as file:
        file.write("imaging: {bits: 14, black: 16, transfer: linear}\n")
    assert open_dataset(twelve, split="val").pixels == Pixels(bits=14, black=16, transfer="linear")
    assert check_dataset(twelve) == []
    assert not recwarn.list


@pytest.mark.parametrize(
    ("imaging", "what"),
    [
        ("{bits: 7}", r"lights.yaml: line 8: imaging.bits: Input should be greater"),
        ("{gamma: 2.2}", r"imaging.gamma: Extra inputs"),
        ("{bits: 12, black: 5000}", r"black 5000: expected less than white, 4095 at 12 bits; correct imaging"),
    ],
)
def test_nonsense_in_lights_yaml_is_named(twelve: Path, imaging: str, what: str) -> None:
    write_lights(twelve / "lights.yaml", ("left", "right", "top"))
    with (twelve / "lights.yaml").open("a") as file:
        file.write(f"imaging: {imaging}\n")
    with pytest.raises(DatasetError, match=what) as refused:
        _ = open_dataset(twelve, split="train")[0]
    assert "Value error" not in str(refused.value)
    assert len(check_dataset(twelve)) == 1


def test_the_option_that_contradicts_lights_yaml_is_named(twelve: Path) -> None:
    write_lights(twelve / "lights.yaml", ("left", "right", "top"))
    with (twelve / "lights.yaml").open("a") as file:
        file.write("imaging: {bits: 12}\n")
    captures = open_dataset(twelve, split="train")
    for options, fix in (
        (ImagingOptions(black=5000), "--black or imaging in lights.yaml"),
        (ImagingOptions(black=5000, bits=12), "--black or --bits"),
    ):
        with pytest.raises(DatasetError, match=rf"4095 at 12 bits; correct {fix}$"):
            _ = captures.with_options(options)[0]


@pytest.mark.filterwarnings("ignore:.*read as 12 bits")
def test_a_capture_of_another_depth_is_named(twelve: Path) -> None:
    deep = twelve / "train" / "good" / "003" / "top.png"
    write_image(deep, np.full((3, 32, 32), 30000, np.uint16))
    captures = open_dataset(twelve, split="train").read_as(Imaging(pixels=Pixels(bits=12)))
    with pytest.raises(
        DatasetError, match=r"003/top.png: values up to 30000, where 12 bits .* are expected; take it at"
    ):
        verify(captures)
    write_image(deep, np.full((3, 32, 32), 30, np.uint8))
    with pytest.raises(DatasetError, match=r"top\.png: 8-bit, but left.png"):
        open_dataset(twelve, split="train")


def test_grey_stays_one_channel_and_joins_colour(tmp_path: Path) -> None:
    write_folder(tmp_path)
    home = tmp_path / "train" / "good" / "000"
    grey = np.arange(32 * 32, dtype=np.uint8).reshape(32, 32)
    write_image(home / "left.png", grey)
    mixed = open_dataset(tmp_path, split="train")[0].images
    assert mixed.shape == (3, 3, 32, 32) and (mixed[0] == grey).all()
    for light in ("right", "top"):
        write_image(home / f"{light}.png", grey)
    assert open_dataset(tmp_path, split="train")[0].images.shape == (3, 1, 32, 32)


def test_lights_with_different_orientation_tags_are_refused(tmp_path: Path) -> None:
    from PIL import Image

    write_folder(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 3
    path = tmp_path / "train" / "good" / "000" / "right.png"
    Image.open(path).copy().save(path, exif=exif)
    with pytest.raises(
        DatasetError, match=r"right.png: orientation tag 3, but left.png of the same capture has 1; turn"
    ):
        open_dataset(tmp_path, split="train")


@pytest.mark.parametrize("red", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_mosaics_are_told_from_grey(red: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    scene = gaussian_filter(rng.uniform(0, 255, (3, 128, 128)), (0, 1.5, 1.5)).transpose(1, 2, 0)
    scene = 128 + 4 * (scene - 128) + rng.normal(0, 3, scene.shape)
    assert is_mosaic(mosaic(scene.clip(0, 255) * [0.5, 1, 0.6], red))
    assert not is_mosaic(scene.mean(-1).clip(0, 255).astype(np.uint8))
    stripes = np.tile(np.array([[200], [190]], np.uint8), (64, 128))  # rows of a sensor with two amplifiers
    assert not is_mosaic(stripes)
    assert not is_mosaic(np.zeros((128, 128), np.uint8))

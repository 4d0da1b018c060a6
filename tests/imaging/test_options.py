"""What is said of the pictures, where, and which comes first."""

import re

import pytest
from typer.testing import CliRunner

from afrd.cli import app
from afrd.cli.train import every_setting
from afrd.datasets import open_dataset
from afrd.imaging import ImagingOptions
from afrd.imaging.region import Shape, Shapes
from captures import write_folder, write_lights
from command import afrd


def test_the_command_line_comes_before_lights_yaml(tmp_path) -> None:
    write_folder(tmp_path)
    write_lights(tmp_path / "lights.yaml", ("left", "right", "top"))
    with (tmp_path / "lights.yaml").open("a") as file:
        file.write("imaging: {black: 5, tile: 64, roi: {ignore: [{rectangle: [0, 0, 4, 4]}]}}\n")
    captures = open_dataset(tmp_path, split="train").with_options(ImagingOptions(tile=32, bits=8))
    roi = Shapes(ignore=[Shape(rectangle=[0, 0, 4, 4])])
    assert captures.options == ImagingOptions(bits=8, black=5, tile=32, roi=roi)


def test_every_option_is_one_of_afrd_train_without_a_prefix() -> None:
    found = every_setting()
    assert {name: found[name].path for name in ImagingOptions.model_fields} == {
        name: ("imaging", name) for name in ImagingOptions.model_fields
    }


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--bits", "7"], "greater than or equal to 8"),
        (["--motion", "fast"], "'fast' is not one of"),
        (["--roi", "absent.png"], "absent.png"),
        (["--resolution", "0"], "Invalid value for --resolution: 0.0: Input should be greater than 0"),
        (["--tile", "32", "--resolution", "4"], "Invalid value: {'tile': 32, 'resolution': 4.0}"),
        (
            ["--resolution", "0.01"],
            "resolution 0.01: makes tiles of 0 px; expected 32 px at least, a resolution of 1 or",
        ),
        (["--resolution", "inf"], "Invalid value for --resolution: inf: Input should be a finite number"),
        (["--overlap", "16"], "overlap 16: of tiles, and there are none; say how large: tile, resolution or"),
        (
            ["--tile", "32", "--overlap", "31", "--image-size", "32"],
            "tile 32, overlap 31: makes 4761 tiles of a capture of 100×100 px; expected 4096 at most: give a larger",
        ),
        (["--tile", "64", "--overlap", "64", "--image-size", "32"], "overlap 64: expected less than the tile"),
    ],
)
def test_nonsense_on_the_command_line(tmp_path, options, said) -> None:
    write_folder(tmp_path / "data", {"train": {"good": 3}, "val": {"good": 1}}, size=100)
    result = CliRunner().invoke(app, ["train", str(tmp_path / "data"), "--out", str(tmp_path / "run"), *options])
    assert result.exit_code != 0
    assert said in " ".join((result.output + str(result.exception)).replace("│", " ").split())
    assert not (tmp_path / "run").exists()


def test_an_option_wins_over_what_a_file_says_in_another_way(tmp_path) -> None:
    write_folder(tmp_path / "data", {"train": {"good": 3}, "val": {"good": 1}}, size=100)
    (tmp_path / "run").touch()  # which ends it once tiles are known
    (tmp_path / "settings.yaml").write_text("imaging: {tile: 32, bits: 8}")
    options = ("--config", tmp_path / "settings.yaml", "--resolution", 8, "--image-size", 64, "--false-alarm-rate", 0.5)
    command = ["train", tmp_path / "data", "--out", tmp_path / "run", *options]
    result = CliRunner().invoke(app, list(map(str, command)))
    assert "4 tiles of 64 px" in result.output and "is a file" in str(result.exception)


def test_the_number_of_tiles_is_said_before_the_long_work(tmp_path) -> None:
    write_folder(tmp_path / "data", {"train": {"good": 3}, "val": {"good": 1}}, size=100)
    (tmp_path / "run").touch()  # which ends it then
    options = ("--tile", 64, "--image-size", 64, "--false-alarm-rate", 0.5)
    done = afrd("train", tmp_path / "data", "--out", tmp_path / "run", *options, check=1)
    assert "captures of 100×100 px are looked at as 4 tiles of 64 px; a place of the map is 8 px\n" in done.stderr
    assert "run: is a file" in done.stderr


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (128, "a place of the map is 16 px\n"),
        (160, "a place of the map is 20 px: defects of less than 40 px are hardly seen; say how large the smallest is, "
         "--smallest-defect PX, and tiles are chosen for it\n"),
    ],
)  # fmt: skip
def test_that_one_square_of_a_large_picture_loses_small_defects_is_said_before_the_long_work(
    tmp_path, size, said
) -> None:
    write_folder(tmp_path / "data", {"train": {"good": 3}, "val": {"good": 1}}, size=size)
    (tmp_path / "run").touch()  # which ends it then
    options = ("--image-size", 64, "--false-alarm-rate", 0.5)
    done = afrd("train", tmp_path / "data", "--out", tmp_path / "run", *options, check=1)
    assert f"captures of {size}×{size} px are looked at as one square; {said}" in done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--smallest-defect", 12), "4 tiles of 64 px; a place of the map is 8 px, a "
         "defect of 12 px is 1.5 places wide; "
         "with --resolution 6, tiles of 48 px, it is 2\n"),
        (("--smallest-defect", 12, "--resolution", 6), "9 tiles of 48 px; a place of the map is 6 px, a defect of "
         "12 px is 2 places wide\n"),
        (("--smallest-defect", 2), "2 px is 0.25 places wide; with --resolution 4, tiles of 32 px, it is 0.5\n"),
        (("--smallest-defect", 30), "one square; a place of the map is 12.5 px, a "
         "defect of 30 px is 2.4 places wide\n"),
    ],
)  # fmt: skip
def test_which_resolution_fits_the_smallest_defect_is_said_before_the_long_work(tmp_path, options, said) -> None:
    write_folder(tmp_path / "data", {"train": {"good": 3}, "val": {"good": 1}}, size=100)
    (tmp_path / "run").touch()  # which ends it then
    given = ("--image-size", 64, "--false-alarm-rate", 0.5, *options)
    done = afrd("train", tmp_path / "data", "--out", tmp_path / "run", *given, check=1)
    assert said in done.stderr and "run: is a file" in done.stderr
    finer = re.search(r"--resolution (\S+), tiles of (\d+) px, it is", done.stderr)
    if finer:  # what is advised is what comes of it
        done = afrd("train", tmp_path / "data", "--out", tmp_path / "run", *given, "--resolution", finer[1], check=1)
        assert f"tiles of {finer[2]} px; a place of the map is {finer[1]} px" in done.stderr
        assert "--resolution" not in done.stderr

"""Regions of interest: which pixels they hold, what is refused, and what `auto` finds."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from afrd.datasets import open_dataset
from afrd.datasets.roi import read_region
from afrd.errors import DatasetError
from afrd.imaging import Imaging, ImagingOptions, Pixels
from afrd.imaging.region import Region, Shape, Shapes, belt_share, fill
from afrd.imaging.tiles import tiles_of
from afrd.model import MultiLightModel
from afrd.training.imaging import learn_imaging, look_where
from captures import write_folder, write_image, write_lights
from command import afrd
from quick import QUICK_OPTIONS

SIZE = (40, 60)


def test_a_rectangle_holds_exactly_its_pixels() -> None:
    inside = read_region(Shapes(include=[Shape(rectangle=[10, 5, 20, 12])]), SIZE, []).inside
    expected = np.zeros(SIZE, bool)
    expected[5:17, 10:30] = True
    np.testing.assert_array_equal(inside, expected)


def test_polygons_are_joined_and_cut_out() -> None:
    shapes = Shapes(
        include=[Shape(polygon=[[0, 0], [40, 0], [0, 40]]), Shape(rectangle=[40, 20, 10, 10])],
        ignore=[Shape(rectangle=[0, 0, 10, 10])],
    )
    inside = read_region(shapes, SIZE, []).inside
    assert inside[12, 12] and not inside[30, 30] and inside[25, 45] and not inside[5, 5]
    assert abs(inside.sum() - (40 * 40 / 2 + 100 - 100)) < 45  # the diagonal's pixels are halved
    everywhere = read_region(Shapes(ignore=[Shape(rectangle=[0, 0, 10, 10])]), SIZE, []).inside
    assert everywhere.sum() == 40 * 60 - 100


def test_a_mask_and_a_file_of_shapes(tmp_path: Path) -> None:
    mask = np.zeros(SIZE, np.uint8)
    mask[8:20, 30:50] = 255
    cv2.imwrite(str(tmp_path / "roi.png"), mask)
    (tmp_path / "roi.yaml").write_text("include: [{rectangle: [30, 8, 20, 12]}]\n")
    of_mask = read_region(str(tmp_path / "roi.png"), SIZE, [])
    np.testing.assert_array_equal(of_mask.inside, mask > 0)
    assert of_mask == read_region(str(tmp_path / "roi.yaml"), SIZE, [])
    assert Region.model_validate_json(of_mask.model_dump_json()) == of_mask


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            "include: [{rectangle: [50, 5, 20, 12]}]",
            r"include 1 reaches from 50, 5 to 70, 17, outside of .* 60×40",
        ),
        ("ignore: [{polygon: [[-1, 5], [20, 12], [3, 3]]}]", "ignore 1 reaches from -1, 3"),
        ("ignore: [{rectangle: [0, 0, 60, 40]}]", "leaves nothing of the picture; mark where"),
        ("include: [{polygon: [[1, 5], [20, 12]]}]", r"line 1: include.0.polygon"),
        ("include: [{rectangle: [1, 5, 0, 9]}]", "expected a width and a height above 0"),
        ("include: [{circle: [1, 5, 9]}]", "Extra inputs"),
        ("ignore: [{polygon: [[.nan, 0], [20, 12], [3, 3]]}]", r"line 1: ignore.0.polygon.0.0: .*finite .*found nan"),
        ("ignore: [{polygon: [[1, 0], [20, -.inf], [3, 3]]}]", r"ignore.0.polygon.1.1: .*finite .*found -inf"),
        ("ignore: [{rectangle: [1, 5, .nan, 9]}]", r"ignore.0.rectangle.2: .*finite .*found nan"),
        ("include: [{rectangle: [1, 5, 4, .inf]}]", r"include.0.rectangle.3: .*finite .*found inf"),
        ("include: [", "line"),
    ],
)
def test_what_is_no_region_is_named(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "roi.yaml"
    path.write_text(text)
    with pytest.raises(DatasetError, match=what) as error:
        read_region(str(path), SIZE, [])
    assert "roi.yaml" in str(error.value)


def test_a_mask_of_another_size_and_an_empty_one(tmp_path: Path) -> None:
    path = str(tmp_path / "roi.png")
    cv2.imwrite(path, np.full((20, 30), 255, np.uint8))
    with pytest.raises(DatasetError, match=r"roi.png: 30×20, the captures are 60×40; draw it on one of them"):
        read_region(path, SIZE, [])
    cv2.imwrite(path, np.zeros(SIZE, np.uint8))
    with pytest.raises(DatasetError, match=r"roi.png: leaves nothing of the picture"):
        read_region(path, SIZE, [])


class Looks(torch.nn.Module):
    """Of a model what decides where it looks."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.image_size, self.stride = 64, stride

    look_at, within = MultiLightModel.look_at, MultiLightModel.within


@pytest.mark.parametrize(
    ("piece", "stride", "tile", "place"),
    [
        ([300, 20, 12, 12], 8, None, "50"),  # a place of 8 model pixels is 50 × 37.5 px
        ([300, 20, 400 - 300, 10], 8, None, "50"),  # long and thin
        ([300, 20, 60, 60], 8, None, None),
        ([300, 20, 12, 12], 8, 64, None),
        ([300, 20, 12, 12], 1, None, None),  # this one masks its map alone
        ([300, 20, 2, 2], 1, None, "6.25"),
    ],
)
def test_a_piece_that_would_never_be_looked_at_is_refused(piece, stride, tile, place) -> None:
    size = (300, 400)
    roi = Shapes(include=[Shape(rectangle=[0, 0, 200, 300]), Shape(rectangle=piece)])
    region = Region.of(roi.drawn(size, "roi"))
    tiling = tiles_of(size, tile, None) if tile else None
    imaging, model = Imaging(pixels=Pixels(bits=8), region=region, tiling=tiling), Looks(stride)
    if place:
        x, y, width, height = piece
        what = (
            rf"{width}×{height} px at {x}, {y} would never .* is {place} px wide.* --resolution {min(width, height)},"
        )
        with pytest.raises(DatasetError, match=what):
            look_where(model, imaging)
        looked_at = (
            imaging.join(np.ones((imaging.tiles, 64, 64)))
            if tile
            else model.within(torch.ones(64 // stride, 64 // stride))
        )
        assert looked_at[:, looked_at.shape[1] // 2 + 1 :].sum() == 0
    else:
        look_where(model, imaging)


def test_outside_is_filled_by_what_is_inside() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, 3, *SIZE), np.uint8)
    region = read_region(Shapes(include=[Shape(rectangle=[10, 5, 20, 12])]), SIZE, [])
    filled = fill(images, region.inside)
    np.testing.assert_array_equal(filled[..., region.inside], images[..., region.inside])
    for light in range(2):
        for channel in range(3):
            values = filled[light, channel][~region.inside]
            assert (values == round(float(images[light, channel][region.inside].mean()))).all()
    dusty = images.copy()
    dusty[..., ~region.inside] = 0
    np.testing.assert_array_equal(fill(dusty, region.inside), filled)


def _on_a_belt(parts: int) -> list[np.ndarray]:
    """A shaded disc of 25 px radius on 96 × 128, a little elsewhere each time."""
    captures = []
    for seed in range(parts):
        rng = np.random.default_rng(seed)
        y, x = np.mgrid[:96, :128]
        disc = (x - 60 - rng.integers(-3, 4)) ** 2 + (y - 40 - rng.integers(-3, 4)) ** 2 < 25**2
        belt = 60 + rng.normal(0, 2, (96, 128))
        lit = [np.where(disc, 120 + side * (x - 60), belt) for side in (-2, 0, 2)]
        captures.append(np.stack(lit).clip(0, 255).astype(np.uint8)[:, None])
    return captures


def test_a_belt_is_told_from_a_texture_that_fills_the_picture() -> None:
    share, disc = belt_share(_on_a_belt(6)), np.pi * 25**2 / (96 * 128)
    assert 0.5 < share < 1 - disc, "what auto leaves out is the belt but for a margin around the part"
    rng = np.random.default_rng(0)
    texture = rng.integers(60, 200, (6, 3, 1, 24, 32), np.uint8).repeat(4, 3).repeat(4, 4)
    assert belt_share(texture) == 0
    assert belt_share([np.full((3, 1, 96, 128), 50, np.uint8)] * 3) == 0
    assert belt_share([*_on_a_belt(3), *(one[..., ::2] for one in _on_a_belt(3))]) == 0, "of several sizes"


def test_training_says_that_a_belt_is_looked_at_and_not_where_a_region_leaves_it_out(tmp_path: Path) -> None:
    for number, images in enumerate(_on_a_belt(8)):
        folder = tmp_path / "parts" / "train" / "good" / str(number)
        folder.mkdir(parents=True)
        for light, image in zip(("left", "right", "top"), images, strict=True):
            write_image(folder / f"{light}.png", image.repeat(3, 0))
    options = ("--image-size", 64, *QUICK_OPTIONS)
    plain = afrd("train", tmp_path / "parts", "--out", tmp_path / "plain", *options).stdout
    assert "% of the picture is a belt where no part has lain" in plain and "--roi auto leaves it out" in plain
    assert (
        "is a belt" not in afrd("train", tmp_path / "parts", "--out", tmp_path / "r", "--roi", "auto", *options).stdout
    )


def test_auto_finds_the_part_on_its_belt() -> None:
    captures = _on_a_belt(6)
    inside = read_region("auto", (96, 128), captures).inside
    y, x = np.mgrid[:96, :128]
    disc = (x - 60) ** 2 + (y - 40) ** 2 < 25**2
    assert inside[disc].all() and inside.sum() < 2.2 * disc.sum()
    with pytest.raises(DatasetError, match="roi: auto found no part: nothing differs"):
        read_region("auto", (96, 128), [np.full((3, 1, 96, 128), 50, np.uint8)] * 3)


def test_lights_yaml_names_a_mask_beside_it(tmp_path: Path) -> None:
    write_folder(tmp_path)
    write_lights(tmp_path / "lights.yaml", ("left", "right", "top"))
    with (tmp_path / "lights.yaml").open("a") as file:
        file.write("imaging: {roi: roi.png}\n")
    mask = np.zeros((32, 32), bool)
    mask[4:20, 4:20] = True
    captures = open_dataset(tmp_path, split="train")
    write_image(tmp_path / "roi.png", mask)
    imaging = learn_imaging(captures, 64)
    np.testing.assert_array_equal(imaging.region.inside, mask)
    write_image(tmp_path / "train" / "good" / "001" / "top.png", np.zeros((30, 32), np.uint8))
    with pytest.raises(DatasetError, match=r"top.png: 32×30, but the region of interest is one of 32×32; take it at"):
        _ = captures.read_as(imaging)[1]


def test_a_later_model_looks_where_the_earlier_one_did(tmp_path: Path) -> None:
    """The file that the region was read from may be gone, and `auto` might find another in other captures."""
    write_folder(tmp_path / "data", {"train": {"good": 3}}, size=64, masks=False)
    captures = open_dataset(tmp_path / "data", None, "train")
    options = ImagingOptions(roi=Shapes(include=[Shape(rectangle=[8, 8, 40, 40])]), align="part")
    earlier = learn_imaging(captures.with_options(options), 64)
    gone = captures[1:].with_options(ImagingOptions(roi=str(tmp_path / "gone.png"), align="part"))
    later = learn_imaging(gone, 64, earlier)
    assert (later.region, later.alignment) == (earlier.region, earlier.alignment)
    write_folder(tmp_path / "other", {"train": {"good": 3}}, size=96, masks=False)
    other = open_dataset(tmp_path / "other", None, "train").with_options(ImagingOptions())
    with pytest.raises(DatasetError, match="96×96, but the region of interest is one of 64×64"):
        learn_imaging(other, 64, earlier)

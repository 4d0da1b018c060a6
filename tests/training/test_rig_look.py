"""What training learns of the rig from captures as they are."""

import pytest
from PIL import Image

from afrd.datasets import open_dataset
from afrd.errors import DatasetError, ModelError
from afrd.families import family_of
from afrd.families.joint import JointConfig
from afrd.families.nearest import NearestConfig
from afrd.imaging import ImagingOptions
from afrd.imaging.region import Shape, Shapes
from afrd.training import TrainConfig, train
from afrd.training.imaging import learn_imaging
from afrd.training.rig_look import learn_rig, verify_lit
from captures import write_folder


@pytest.fixture
def captures(tmp_path):
    write_folder(tmp_path, {"train": {"good": 4}}, size=48)
    return open_dataset(tmp_path)


def test_grey_captures_may_be_among_colour_ones(captures):
    for path in captures.records[1].images:
        Image.open(path).convert("L").save(path)
    assert [capture.images.shape[1] for capture in captures] == [3, 1, 3, 3]
    look = learn_rig(captures, 64)
    assert look["rig_reference"] is not None and len(look["relighting"]) == 3


def test_a_light_that_shows_too_little_to_be_seen_to_fail_is_named(captures):
    for path in (path for record in captures.records for path in record.images if path.stem == "right"):
        Image.open(path).point(lambda value: value // 40).save(path)
    with pytest.warns(UserWarning) as said:
        learn_rig(captures, 64)
    (only,) = said
    assert "light right: cannot be seen to fail, as good parts are as dark under it as 1" in str(only.message)


def test_what_cannot_grow_is_said_before_the_fit(captures):
    follows = captures.with_options(ImagingOptions(roi=Shapes(include=[Shape(rectangle=[8, 8, 40, 40])]), align="part"))
    follows = follows.read_as(learn_imaging(follows, 64))
    with pytest.raises(ModelError, match="leave out --growable or align: part"):
        family_of("joint").require(JointConfig(growable=True), follows)


@pytest.mark.parametrize(
    ("config", "says"),
    [(JointConfig(growable=True), "leave out --growable or the tiles"), (NearestConfig(), "leave out --tile")],
)
def test_what_does_not_go_with_tiles_is_said_before_the_fit(captures, config, says):
    tiled = captures.with_options(ImagingOptions(tile=32))
    tiled = tiled.read_as(learn_imaging(tiled, 64))
    with pytest.raises(ModelError, match=says):
        family_of(config.fusion).require(config, tiled)


@pytest.mark.parametrize("side", ["train", "val"])
def test_a_dark_light_is_refused_in_every_capture_that_is_learned_from(tmp_path, side):
    """Of the captures held out most are dark: what is usual is seen on the others."""
    write_folder(tmp_path, {"train": {"good": 4}, "val": {"good": 4}}, size=48)
    captures, holdout = (open_dataset(tmp_path, split=split) for split in ("train", "val"))
    verify_lit(captures, holdout)
    for index in range(1, 2 if side == "train" else 4):
        path = tmp_path / side / f"good/00{index}/right.png"
        Image.open(path).point(lambda _: 0).save(path)
    more = "" if side == "train" else r" \(and so in 2 more captures\)"
    config = TrainConfig(fusion="attention", epochs=1, image_size=64, false_alarm_rate=0.3)
    with pytest.raises(DatasetError, match=f"good-001 of {side}: light right is dark, .* captures{more}; take the"):
        train(captures, tmp_path / "run", config, holdout=holdout)
    assert not (tmp_path / "run").exists()

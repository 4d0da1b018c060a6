"""Where all lights show the same picture they are averaged, and the model says so; where they do not, they are not."""

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

from afrd import Inspector
from afrd.checkpoint import load_card
from afrd.datasets import open_dataset
from afrd.errors import ModelError
from afrd.export import export_run
from afrd.families.joint import JointConfig
from afrd.imaging import ImagingOptions
from afrd.model.nearest import NearestPatches
from afrd.training import TrainConfig, train
from afrd.training.alike_lights import ALIKE, alikeness

SIDE, SIDES = 96, ((1.0, 0.0), (-1.0, 0.0), (0.0, 1.0))


def _relief(rng) -> np.ndarray:
    height = gaussian_filter(rng.standard_normal((SIDE, SIDE)), 2)
    return height / height.std()


def _exposed(rng) -> np.ndarray:
    """[3, S, S]: one picture at three exposures, with noise."""
    picture = 0.45 + 0.08 * _relief(rng)
    return np.stack([gain * picture + rng.normal(0, 0.004, picture.shape) for gain in (0.5, 0.8, 1.2)])


def _lit(rng) -> np.ndarray:
    """[3, S, S]: one relief, lit from three sides."""
    rows, columns = np.gradient(_relief(rng))
    return np.stack([0.5 + 0.6 * (x * columns + y * rows) for x, y in SIDES])


def _write(root, look) -> None:
    rng = np.random.default_rng(0)
    for split, label, count in (("train", "good", 12), ("val", "good", 6), ("test", "good", 4), ("test", "spot", 4)):
        for i in range(count):
            lights = look(rng)
            if label == "spot":
                y, x = np.mgrid[:SIDE, :SIDE] - rng.integers(30, SIDE - 30, 2)[:, None, None]
                lights = lights * np.where(x**2 + y**2 < 49, 0.3, 1)
            folder = root / split / label / f"{i:02d}"
            folder.mkdir(parents=True)
            for k, light in enumerate(lights):
                Image.fromarray((light.clip(0, 1) * 255).astype(np.uint8)).save(folder / f"{k}.png")


@pytest.fixture(scope="module")
def exposures(tmp_path_factory):
    root = tmp_path_factory.mktemp("exposures")
    _write(root / "data", _exposed)
    good, held = (open_dataset(root / "data", None, split) for split in ("train", "val"))
    config = TrainConfig(image_size=64, false_alarm_rate=0.2)
    train(good, root / "run", config, holdout=held)
    return root


def test_exposures_are_alike_and_lights_from_other_sides_are_not(exposures, tmp_path):
    assert alikeness(open_dataset(exposures / "data", None, "train")) > ALIKE
    _write(tmp_path / "lit", _lit)
    good, held = (open_dataset(tmp_path / "lit", None, split) for split in ("train", "val"))
    assert alikeness(good) < 0.2
    card = train(good, tmp_path / "run", TrainConfig(image_size=64, false_alarm_rate=0.2), holdout=held)
    assert card.fusion == "joint"


def test_alike_lights_are_averaged_and_find_what_they_should(exposures):
    card = load_card(exposures / "run")
    assert card.fusion == "nearest" and not card.capabilities.evidence
    assert card.image_size == 64  # as asked for, not its own
    inspector = Inspector.load(exposures / "run")
    found = [(c.anomalous, inspector.inspect_capture(c)) for c in open_dataset(exposures / "data", None, "test")]
    assert min(x.score for bad, x in found if bad) > max(x.score for bad, x in found if not bad)
    assert all(x.light_evidence is None for _, x in found)
    spot = next(c for c in open_dataset(exposures / "data", None, "test") if c.anomalous)
    assert inspector.inspect(spot.images, missing=["1"]).anomalous


@pytest.mark.parametrize(("parts", "stated"), [(1, 1 / 2), (2, 1 / 3), (6, 1 / 7), (19, 1 / 20)])
def test_a_unit_of_the_held_out_parts_keeps_the_promise_of_their_largest_score(parts, stated, teacher):
    """Both looks are drawn; then the share of new parts above the threshold is at most the stated one."""
    model, groups = NearestPatches(teacher, lights=2, image_size=64), list(map(str, range(parts)))
    generator, above = torch.Generator().manual_seed(0), []
    for _ in range(300):
        said = 2 + 0.1 * torch.randn(parts, 2, generator=generator)
        limit = model.score(said, model.standardise(said, groups)).max()
        above.append((model.score(2 + 0.1 * torch.randn(200, 2, generator=generator)) > limit).float().mean())
    rates = torch.stack(above)
    assert rates.mean() < stated + 2 * rates.std() / 300**0.5


def test_joint_is_joint_where_it_is_asked_for(exposures):
    good = open_dataset(exposures / "data", None, "train")
    assert TrainConfig(fusion="joint").resolved(good).fusion == "joint"
    assert TrainConfig().resolved(good).image_size == 384  # one finer picture instead of three
    one = good.with_options(ImagingOptions(smallest_defect=40))  # makes tiles larger than the captures of 96 px: none
    assert TrainConfig(image_size=64).resolved(one).fusion == "nearest"
    assert JointConfig(image_size=64).in_folds(12, 12, JointConfig(image_size=64).tiled(one)) == 12
    tiles = good.with_options(ImagingOptions(smallest_defect=8))
    assert TrainConfig(image_size=32).resolved(tiles).fusion == "joint"
    with pytest.raises(ModelError, match=r"folds, growable: without effect on the model nearest.*the same picture"):
        TrainConfig(growable=True, folds=10).resolved(good)


def test_an_artefact_of_it_gives_the_same_answer(exposures):
    captures = open_dataset(exposures / "data", None, "test")
    export_run(exposures / "run", captures, exposures / "station.onnx", to="onnx")
    run, artefact = Inspector.load(exposures / "run"), Inspector.load(exposures / "station.onnx")
    for capture in captures[:3]:
        assert artefact.inspect_capture(capture).score == pytest.approx(run.inspect_capture(capture).score, rel=1e-3)


def test_tiles_are_refused_by_name(exposures, tmp_path):
    good, held = (open_dataset(exposures / "data", None, split) for split in ("train", "val"))
    with pytest.raises(ModelError, match="leave out --tile"):
        train(good, tmp_path / "run", TrainConfig(fusion="nearest", image_size=64, imaging={"tile": 48}), holdout=held)

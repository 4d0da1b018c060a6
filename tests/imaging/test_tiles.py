"""Tiles: they cover, they join without seams, and a model of them finds a defect wherever it lies."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from afrd.datasets import open_dataset
from afrd.errors import DatasetError, ModelError
from afrd.evaluation import evaluate
from afrd.export import export_run
from afrd.imaging import ImagingOptions
from afrd.imaging.region import Region
from afrd.imaging.tiles import Tiling, score, tile_for, tiles_of
from afrd.inspector import Inspector
from afrd.model.anomaly_map import score as score_of_tensor
from afrd.runtimes import SUFFIXES
from afrd.runtimes.artefact import ON_GPU
from afrd.training import TrainConfig, train
from captures import write_image
from quick import QUICK
from surfaces import LIGHTS, SIDE, capture, part

TILE = 64


@pytest.mark.parametrize(
    ("size", "tile", "overlap"), [((300, 500), 128, 16), ((128, 300), 128, 0), ((256, 256), 64, 32)]
)
def test_tiles_cover_the_picture_and_overlap_as_asked(size, tile, overlap) -> None:
    tiling = Tiling(height=size[0], width=size[1], tile=tile, overlap=overlap)
    seen = np.zeros(size, int)
    for part_ in tiling.cut(seen):
        assert part_.shape == (tile, tile)
        part_ += 1
    assert seen.min() >= 1
    rows, columns = (sorted(set(starts)) for starts in zip(*tiling.corners, strict=True))
    for starts, length in ((rows, size[0]), (columns, size[1])):
        assert starts[0] == 0 and starts[-1] == length - tile
        assert all(b - a <= tile - overlap for a, b in pairwise(starts))


def test_maps_that_agree_join_without_seams() -> None:
    tiling = Tiling(height=200, width=330, tile=64, overlap=16)
    y, x = np.mgrid[:200, :330]
    whole = np.sin(y / 30) + np.cos(x / 50) + 3
    np.testing.assert_allclose(tiling.join(np.stack(tiling.cut(whole))), whole, rtol=1e-5)


def test_where_maps_differ_the_border_of_a_tile_has_no_say() -> None:
    tiling = Tiling(height=64, width=112, tile=64, overlap=16)
    maps = np.stack([np.zeros((64, 64)), np.ones((64, 64))])
    row = tiling.join(maps)[30]
    assert (row[:48] == 0).all() and (row[64:] == 1).all()
    assert (np.diff(row[47:65]) >= 0).all() and np.diff(row).max() < 0.1


def test_tiles_outside_of_the_region_are_left_out() -> None:
    inside = np.zeros((128, 256), bool)
    inside[10:50, 10:50] = True
    tiling = Tiling(height=128, width=256, tile=64, overlap=0).within(Region.of(inside))
    assert tiling.corners == [(0, 0)]
    joined = tiling.join(np.ones((1, 64, 64)))
    assert joined[:64, :64].all() and joined.sum() == 64 * 64


def test_which_tile_a_defect_takes() -> None:
    assert tile_for(12, 256) == 256  # pictures are not enlarged
    assert tile_for(40, 256) == 640  # 640 px are 32 places of 20 px
    assert tiles_of((200, 300), 300, None) is None
    assert tiles_of((200, 300), 256, None).tile == 200
    assert tiles_of((600, 800), 256, None).overlap == 32
    with pytest.raises(DatasetError, match="overlap 256: expected less than the tile, which is 256 px"):
        tiles_of((600, 800), 256, 256)


@pytest.mark.parametrize("share", [0.0, 0.01, 1.0])
def test_the_score_is_that_of_one_tile(share: float) -> None:
    anomaly_map = np.random.default_rng(0).random((40, 50), np.float32)
    expected = float(score_of_tensor(torch.from_numpy(anomaly_map)[None], share)[0])
    assert score(anomaly_map, share) == pytest.approx(expected, rel=1e-6)


def stained(seed: int, y: int, x: int) -> np.ndarray:
    lights = part(seed)
    lights[:, y - 5 : y + 5, x - 5 : x + 5] *= 0.3
    return lights


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("large")
    still = np.zeros((LIGHTS, 2))

    def write(folder: Path, lights: np.ndarray, seed: int) -> None:
        for k, image in enumerate(capture(lights, still, seed)[:3]):
            write_image(folder / f"light{k}.png", image[0])

    for split, count, first in (("train", 8, 0), ("val", 3, 20), ("test", 4, 30)):
        for k in range(count):
            write(root / split / "good" / f"{k:03d}", part(first + k), k)
    for k, (y, x) in enumerate([(32, 32), (64, 64), (64, 30), (96, 64)]):
        write(root / "test" / "stain" / f"{k:03d}", stained(40 + k, y, x), k)
        mask = np.zeros((SIDE, SIDE), bool)
        mask[y - 5 : y + 5, x - 5 : x + 5] = True
        write_image(root / "masks" / "stain" / f"{k:03d}.png", mask)
    return root


@pytest.fixture(scope="module")
def run(data, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("run")
    config = TrainConfig(image_size=TILE, imaging=ImagingOptions(tile=TILE, overlap=16))
    train(open_dataset(data, split="train"), out, config, holdout=open_dataset(data, split="val"))
    return out


def test_a_model_of_tiles_finds_small_stains_wherever_they_lie(data, run) -> None:
    inspector = Inspector.load(run)
    assert inspector.imaging.tiles == 9
    evaluation = evaluate(inspector, open_dataset(data, split="test"))
    assert evaluation.image_auroc >= 0.9 and evaluation.pixel_auroc > 0.95
    assert evaluation.maps[0].shape == (SIDE, SIDE)


def test_the_map_of_a_single_tile_lies_where_the_tile_does(run) -> None:
    inspector = Inspector.load(run, check_lights=False)
    imaging = inspector.card.imaging
    last = imaging.model_copy(update={"tiling": imaging.tiling.model_copy(update={"kept": (8,)})})
    inspector.card = inspector.card.model_copy(update={"imaging": last})
    found = inspector.inspect(capture(stained(33, 100, 100), np.zeros((LIGHTS, 2)))[:3]).anomaly_map
    assert np.abs(np.array(np.unravel_index(found.argmax(), found.shape)) - 100).max() <= 5 + 8
    assert found[: SIDE - TILE - 1].max() == 0 < found.max()


def test_stains_on_a_seam_score_as_in_the_middle_of_a_tile(run) -> None:
    inspector, still = Inspector.load(run, check_lights=False), np.zeros((LIGHTS, 2))
    starts = sorted({y for y, _ in inspector.imaging.tiling.corners})
    middle, seam = starts[1] + TILE // 2, starts[1] + 8  # in the overlap of the first two
    places = {"middle": (middle, middle), "edge": (seam, middle), "corner": (seam, seam)}
    scores, hits = {name: [] for name in places}, dict.fromkeys(places, 0)
    for seed in range(33, 41):  # one part's score hangs on its own grain
        wide = part(seed, side=2 * SIDE)
        for name, (y, x) in places.items():
            lights = wide[:, SIDE - y : 2 * SIDE - y, SIDE - x : 2 * SIDE - x].copy()  # one surface below the stain
            lights[:, y - 5 : y + 5, x - 5 : x + 5] *= 0.3
            found = inspector.inspect(capture(lights, still)[:3])
            at = np.unravel_index(found.anomaly_map.argmax(), found.anomaly_map.shape)
            hits[name] += max(abs(at[0] - y), abs(at[1] - x)) <= 5 + 8  # on it, or at the place beside it
            scores[name].append(found.score)
    assert hits["middle"] == 8 and min(hits.values()) >= 6
    means = {name: np.mean(found) for name, found in scores.items()}
    assert min(means.values()) > 0.8 * max(means.values())


@pytest.mark.parametrize("to", ["onnx", pytest.param("openvino", marks=pytest.mark.slow), "torch"])
def test_the_artefact_takes_the_same_tiles(data, run, tmp_path, to) -> None:
    captures, path = open_dataset(data, split="test"), tmp_path / f"m{SUFFIXES[to]}"
    report = export_run(run, open_dataset(data, split="train"), path, to=to, compare_on=captures)
    assert not report.comparison.failures and report.card.input.height == TILE
    images = captures[5].images
    artefact, inspector = Inspector.load(path), Inspector.load(run)
    score = inspector.inspect(images).score
    assert artefact.inspect(images).score == pytest.approx(score, rel=1e-3)
    artefact._runtime.at_once = ON_GPU
    assert artefact.inspect(images).score == pytest.approx(score, rel=1e-3)
    with pytest.raises(ModelError, match="100×128, but the model's captures are 128×128; take it at that size"):
        artefact.inspect(np.zeros((3, 1, 128, 100), np.uint8))


def test_a_small_picture_stays_one_square_with_the_same_result(data, tmp_path) -> None:
    captures, held = open_dataset(data, split="train"), open_dataset(data, split="val")
    train(captures, tmp_path / "plain", TrainConfig(image_size=TILE, **QUICK), holdout=held)
    with pytest.warns(UserWarning, match="tile 128: larger than the captures of 128×128 px; each is .* one square"):
        options = ImagingOptions(tile=128)
        train(captures, tmp_path / "tiled", TrainConfig(image_size=TILE, imaging=options, **QUICK), holdout=held)
    plain, tiled = (Inspector.load(tmp_path / name) for name in ("plain", "tiled"))
    assert plain.threshold == tiled.threshold
    images = open_dataset(data, split="test")[6].images
    assert plain.inspect(images).score == tiled.inspect(images).score

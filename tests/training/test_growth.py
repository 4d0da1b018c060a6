"""A grown model against one that was fitted to all captures from scratch."""

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from afrd import Inspector
from afrd.checkpoint import load_card, load_model
from afrd.datasets import open_dataset
from afrd.errors import DatasetError, RunError
from afrd.families import TrainConfig, build_model
from afrd.families.joint import GROWTH_FILE, Disturbing, JointConfig, Painting
from afrd.model.moments import Moments
from afrd.training import train
from afrd.training.disturbed import BlurredCaptures, with_disturbances
from afrd.training.features import Recompute
from afrd.training.growth import grow, read_memory
from afrd.yaml_model import parse
from captures import make_capture, write_folder, write_image

SIZE, MORE = 64, 4
LITTLE = {"painting": Painting(captures=4, pairs=6), "disturbing": Disturbing(captures=3, copies=1)}


@pytest.fixture(scope="module")
def captures(tmp_path_factory):
    """(learned from at first, held out: five and one that is not good, further ones, all learned from in the end)"""
    root, lights = tmp_path_factory.mktemp("growth"), ("left", "right", "top")
    write_folder(root, {"train": {"good": 9 + MORE}, "val": {"good": 5}}, lights=lights, size=SIZE)
    noise = np.random.default_rng(0).integers(0, 256, (3, 3, SIZE, SIZE), np.uint8)
    for light, image in zip(lights, noise, strict=True):
        write_image(root / "val" / "good" / "bad" / f"{light}.png", image)
    good, held_out = (open_dataset(root, None, split) for split in ("train", "val"))
    return good.subset(range(9)), held_out, good.subset(range(9, 9 + MORE)), good


@pytest.fixture(scope="module")
def runs(captures, tmp_path_factory):
    """(trained, grown)"""
    root = tmp_path_factory.mktemp("runs")
    first, held_out, more, _ = captures
    config = JointConfig(image_size=SIZE, false_alarm_rate=0.2, growable=True, **LITTLE)
    with pytest.warns(UserWarning, match="good-bad scores .*is it good"):
        train(first, root / "trained", config, holdout=held_out)
    steps = []
    grow(root / "trained", more, root / "grown", lambda done, total: steps.append((done, total)))
    assert [done for done, _ in steps] == list(range(1, steps[-1][1] + 1))
    return root / "trained", root / "grown"


def test_it_is_the_model_of_a_fit_to_all_captures(captures, runs):
    first, _, _, every = captures
    trained, card = load_model(runs[0])
    grown, _ = load_model(runs[1])
    cpu = torch.device("cpu")
    scratch = build_model(parse(TrainConfig, card.config, runs[0]), 3).eval()
    every = every.read_as(card.imaging)
    with torch.inference_mode():
        disturbed = with_disturbances(scratch, first.read_as(card.imaging), cpu, 0, LITTLE["disturbing"].captures)
        soft = BlurredCaptures(every, LITTLE["disturbing"].blur)
        blurred = Recompute(scratch, soft, cpu).each()
        scratch.fit(lambda: Recompute(scratch, every, cpu).each(), disturbed=disturbed, blurred=blurred)
        assert int(grown.samples) == int(scratch.samples) == 2 * 13 * (SIZE // 8) ** 2
        torch.testing.assert_close(grown.mean, scratch.mean, rtol=1e-5, atol=1e-6)
        scale = scratch.covariance.diagonal().rsqrt()
        apart = (grown.covariance - scratch.covariance) * scale[:, None] * scale
        assert apart.abs().max() < 1e-5
        # with the directions of defects that the first fit learned, it judges alike; vectors are kept in half precision
        scratch.defects.load_state_dict(trained.defects.state_dict())
        scratch.grow(_moments(scratch, every, soft), read_memory(runs[0]).disturbed, _vectors(scratch, every))
        rng = np.random.default_rng(5)
        for defect in (False, True):
            images = torch.from_numpy(make_capture(rng, 3, SIZE, defect)[0])[None]
            torch.testing.assert_close(grown(images).anomaly_map, scratch(images).anomaly_map, rtol=0.02, atol=0.02)
            assert not torch.allclose(grown(images).anomaly_map, trained(images).anomaly_map, rtol=0.02, atol=0.02)


def test_its_threshold_follows_from_its_own_scores_of_the_held_out_captures_without_the_doubtful_one(captures, runs):
    inspector, before = Inspector.load(runs[1]), load_card(runs[0])
    assert inspector.card.captures == 9 + MORE
    assert before.holdout_parts == inspector.card.holdout_parts == 5
    *scores, bad = (inspector.inspect(capture.images).score for capture in captures[1])
    assert bad > 1.5 * inspector.threshold
    assert min(scores) * 0.98 < inspector.threshold
    assert sum(score > 1.02 * inspector.threshold for score in scores) <= 1  # a fifth of five parts, and rounding
    assert len(inspector.card.thresholds_without) == 3
    assert inspector.card.threshold_unlike >= inspector.card.threshold
    assert [len(each) for each in read_memory(runs[1]).unlike] == [6]  # of the one copy of each held-out capture


def test_it_grows_again_and_by_nothing_else_than_good_parts_of_its_lights(captures, runs, tmp_path):
    more = captures[2]
    card = grow(runs[1], more.subset([0]), tmp_path / "again")
    assert card.captures == 9 + MORE + 1
    assert read_memory(tmp_path / "again").moments.count == 2 * 14 * (SIZE // 8) ** 2
    write_folder(tmp_path / "two", {"train": {"good": 2}}, lights=("left", "right"), size=SIZE)
    with pytest.raises(DatasetError, match="further captures"):
        grow(runs[1], open_dataset(tmp_path / "two", None, "train"), tmp_path / "never")
    write_folder(tmp_path / "dark", {"train": {"good": 2}}, lights=("left", "right", "top"), size=SIZE)
    image = next((tmp_path / "dark").glob("train/good/*/right.png"))
    write_image(image, np.zeros((3, SIZE, SIZE), np.uint8))
    with pytest.raises(DatasetError, match="light right is dark, as if it were not lit; take the capture out"):
        grow(runs[1], open_dataset(tmp_path / "dark", None, "train"), tmp_path / "never")
    card_of_before = tmp_path / "again" / "model.yaml"
    as_it_is = card_of_before.read_text()
    card_of_before.write_text(as_it_is.replace("    blur: 0.7\n", ""))
    with pytest.raises(RunError, match="without blurred copies; train a new version once"):
        grow(tmp_path / "again", more, tmp_path / "never")
    card_of_before.write_text(as_it_is)
    memory = tmp_path / "again" / GROWTH_FILE
    names = safe_open(memory, "pt").metadata()
    save_file(load_file(memory), memory, metadata={name: names[name] for name in ("scored", "doubtful")})
    of_before = grow(tmp_path / "again", more.subset([1]), tmp_path / "one threshold")  # its copies were not checked
    assert of_before.threshold_unlike is None
    save_file(load_file(memory), memory, metadata={"groups": "[]"})
    with pytest.raises(RunError, match="without the names of held-out captures; train a new version once"):
        grow(tmp_path / "again", more, tmp_path / "never")
    memory.unlink()
    with pytest.raises(RunError, match="trained without --growable"):
        grow(tmp_path / "again", more, tmp_path / "never")
    assert not (tmp_path / "never").exists()


def _vectors(model, captures):
    return (model.describe(levels) for levels in Recompute(model, captures, torch.device("cpu")).each())


def _moments(model, *sets):
    moments = Moments(len(model.mean))
    for captures in sets:
        for vectors in _vectors(model, captures):
            moments.add(vectors[0].flatten(1).T)
    return moments

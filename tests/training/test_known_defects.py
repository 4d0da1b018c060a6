"""Known defects: their directions count beside the painted ones, and never decide against the evidence."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.metrics import roc_auc_score

from afrd import Inspector
from afrd.datasets import open_dataset, read_known_defects
from afrd.errors import ModelError
from afrd.families.joint import Disturbing, Gaussian, JointConfig, Painting
from afrd.model.defect_space import KNOWN, DefectSpace
from afrd.training import TrainConfig, train
from afrd.training.nearest import choose_scores
from captures import make_capture, write_folder, write_image

LIGHTS = ("a", "b", "c")
KINDS = {"size": 64, "lights": LIGHTS}


def _pair(change: list[float], kind: str) -> tuple:
    """One place that a defect changes so."""
    change = torch.tensor(change).view(1, 4, 1, 1)
    return [torch.zeros_like(change)], [change], torch.ones(1, 1, 1), kind


def test_as_many_known_defects_as_the_prior_move_half_of_the_way():
    """Good parts scatter by 2, 1, 1, 1. One kind lies along the first direction, one along the second."""
    whitening = torch.diag(torch.tensor([0.5, 1, 1, 1]))
    pairs = [_pair([9.0, 0, 0, 0], "stain"), _pair([0, 9.0, 0, 0], "line")]
    space = DefectSpace(4, Gaussian(strength=0.9))
    space.learn(pairs, lambda levels: levels[0], whitening)
    real = [torch.tensor([[0.0, 30, 0, 0]])] * KNOWN  # beyond doubt along the second
    assert space.prefer(real, whitening) == pytest.approx({"stain": 0.25, "line": 0.75}, abs=1e-3)
    in_units_of_good_parts = whitening @ space.covariance @ whitening
    assert in_units_of_good_parts.diagonal().tolist() == pytest.approx([1, 3, 0, 0], abs=1e-2)
    other = DefectSpace(4, Gaussian(strength=0.9))
    other.learn(pairs, lambda levels: levels[0], whitening)
    assert other.prefer(real[:1], whitening)["line"] == pytest.approx((KNOWN / 2 + 1) / (KNOWN + 1), abs=1e-3)


def _faint(rng) -> tuple[np.ndarray, np.ndarray]:
    """A part with a checkerboard of ± 12 grey levels in 10 × 10 pixels, which nobody paints."""
    images, _ = make_capture(rng, len(LIGHTS), 64)
    y, x = rng.integers(20, 36, 2)
    mask = np.zeros((64, 64), bool)
    mask[y : y + 10, x : x + 10] = True
    board = 12 * (-1) ** np.add.outer(np.arange(64), np.arange(64))
    return np.clip(images + (mask * board).astype(int), 0, 255).astype(np.uint8), mask


LITTLE = JointConfig(image_size=64, false_alarm_rate=0.2, painting=Painting(pairs=12), disturbing=Disturbing(copies=0))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("known")
    write_folder(root / "data", {"train": {"good": 12}, "val": {"good": 6}, "test": {"good": 8}}, **KINDS)
    rng = np.random.default_rng(5)
    for split, count in (("known/board", 8), ("data/test/board", 12)):
        for i in range(count):
            images, mask = _faint(rng)
            for light, image in zip(LIGHTS, images, strict=True):
                write_image(root / split / f"{i:03d}" / f"{light}.png", image)
            if i % 2 == 0 and split.startswith("known"):
                write_image(root / "known" / "masks" / "board" / f"{i:03d}.png", mask)
    return root


def _auroc(run, data) -> float:
    inspector = Inspector.load(run, check_lights=False)
    test = open_dataset(data / "data", split="test")
    return roc_auc_score(test.labels, [inspector.inspect(capture.images).score for capture in test])


def test_training_learns_from_them_with_and_without_masks(data):
    captures, held = (open_dataset(data / "data", split=split) for split in ("train", "val"))
    train(captures, data / "plain", LITTLE, holdout=held)
    known = read_known_defects(data / "known", captures.lights)
    card = train(captures, data / "taught", LITTLE, holdout=held, known_defects=known)
    assert card.capabilities.known_defects
    one, other = (load_file(data / run / "model.safetensors") for run in ("plain", "taught"))
    assert not torch.allclose(one["defects.covariance"], other["defects.covariance"], rtol=0.1)
    assert torch.equal(one["covariance"], other["covariance"])  # good parts are what they were
    assert "known_defects: 8" in (data / "taught" / "run.yaml").read_text()


@pytest.mark.slow
def test_they_do_no_harm(data, tmp_path):
    """Of few and small pictures one training says little: the mean of three."""
    captures, held = (open_dataset(data / "data", split=split) for split in ("train", "val"))
    known = read_known_defects(data / "known", captures.lights)
    gains = []
    for seed in range(3):
        config = LITTLE.model_copy(update={"seed": seed})
        plain, taught = tmp_path / f"plain{seed}", tmp_path / f"taught{seed}"
        train(captures, plain, config, holdout=held)
        train(captures, taught, config, holdout=held, known_defects=known)
        gains.append(_auroc(taught, data) - _auroc(plain, data))
    assert np.mean(gains) > -0.05


def test_a_model_that_does_not_learn_from_them_says_so_before_anything_is_written(data, tmp_path):
    captures, held = (open_dataset(data / "data", split=split) for split in ("train", "val"))
    known = read_known_defects(data / "known", captures.lights)
    config = TrainConfig(fusion="mean", image_size=64, false_alarm_rate=0.2)
    with pytest.raises(ModelError, match="fusion mean: learns nothing from known defects"):
        train(captures, tmp_path / "run", config, holdout=held, known_defects=known)
    assert not (tmp_path / "run").exists()


class _Looks:
    def __init__(self) -> None:
        self.heard = torch.ones(2, dtype=torch.bool)


def test_one_look_is_dropped_only_where_known_defects_leave_no_doubt():
    rng = np.random.default_rng(0)
    good = rng.normal(0, 1, (20, 2))
    sure = _Looks()  # the second look is noise that hides what the first one sees
    choose_scores(sure, good * (1, 4), rng.normal(0, 1, (20, 2)) * (1, 4) + (3, 0))
    assert sure.heard.tolist() == [True, False]
    unsure = _Looks()
    choose_scores(unsure, good, rng.normal(1.5, 1, (5, 2)))
    assert unsure.heard.tolist() == [True, True]

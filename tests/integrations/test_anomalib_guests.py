"""Classes of anomalib that ask for more than pictures: a data module, weights of their own, a part of the picture."""

import numpy as np
import pytest
import timm
import torch
import torchvision

pytest.importorskip("anomalib")
from anomalib import models

from afrd import Inspector, TrainConfig, train
from afrd.comparison.job import Job, Settings
from afrd.comparison.methods import get_method
from afrd.comparison.results import Store, read_results
from afrd.comparison.suite import Run, Suite, jobs_of
from afrd.comparison.tables import build_tables
from afrd.comparison.worker import run_job
from afrd.datasets import open_dataset
from afrd.errors import ModelError
from afrd.integrations.anomalib.guest import _of_the_whole
from afrd.model.dinov2 import ARCHITECTURE, _package_file, read_weights

OWN = "vit_small_of_the_package"  # a name by which timm finds the installed weights of DINOv2


@pytest.fixture
def weights_of_a_package(tmp_path, monkeypatch):
    """A transformer that timm knows by name, its weights in a file instead of on a hub."""
    torch.save(read_weights(_package_file()), tmp_path / "dinov2.pth")

    def entry(pretrained=False, **given):
        given["pretrained_cfg"] = {"file": str(tmp_path / "dinov2.pth"), "num_classes": 0}
        return timm.create_model(ARCHITECTURE, pretrained=pretrained, num_classes=0, **given)

    monkeypatch.setitem(timm.models._registry._model_entrypoints, OWN, entry)


@pytest.mark.parametrize(("name", "size", "read"), [("Dinomaly", 448, 448), ("InpFormer", 64, 56), ("Rad", 256, 448)])
def test_a_class_that_cuts_the_border_off_sees_the_whole_part(name, size, read):
    picture = torch.zeros(1, 3, size, size)
    picture[..., : size // 8, : size // 8] = 1  # in a corner
    seen = _of_the_whole(getattr(models, name), size).transform(picture)
    assert seen.shape[-2:] == (read, read)
    bright = seen[0, 0] > 1
    assert bright[: read // 9, : read // 9].all() and not bright[read // 7 :].any()
    whole = _of_the_whole(models.Padim, size).transform(picture)
    assert whole.shape[-2:] == (size, size)


@pytest.mark.slow
def test_dinomaly_learns_and_its_map_lies_on_the_defect(tiny, tmp_path, weights_of_a_package):
    arguments = f'{{"encoder_name": "{OWN}", "decoder_depth": 8}}'
    settings = {"epochs": 2, "arguments": arguments}
    config = TrainConfig(fusion="anomalib:Dinomaly", image_size=224, false_alarm_rate=0.5, anomalib=settings)
    train(open_dataset(tiny)[:8], tmp_path / "run", config, holdout=open_dataset(tiny, split="val")[:2])
    inspector = Inspector.load(tmp_path / "run", check_lights=False)
    bad = open_dataset(tiny, split="test_public")[8].images.copy()
    bad[:, :, :10, 50:] = np.random.default_rng(0).integers(0, 256, (6, 3, 10, 14))  # in the corner
    found = inspector.inspect(bad).anomaly_map
    row, column = np.unravel_index(found.argmax(), found.shape)
    assert row < 16 and column > 44


@pytest.mark.slow
def test_cfa_asks_the_trainer_for_the_pictures(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))  # as if its weights had been fetched before
    there = tmp_path / "hub/checkpoints"
    there.mkdir(parents=True)
    file = torchvision.models.ResNet18_Weights.DEFAULT.url.rsplit("/", 1)[1]
    torch.save(torchvision.models.resnet18().state_dict(), there / file)
    settings = {"epochs": 1, "arguments": '{"backbone": "resnet18"}'}
    config = TrainConfig(fusion="anomalib:Cfa", image_size=64, false_alarm_rate=0.2, anomalib=settings)
    held = open_dataset(tiny, split="val")
    card = train(open_dataset(tiny), tmp_path / "run", config, holdout=held)
    inspector = Inspector.load(tmp_path / "run", check_lights=False)
    scores = [inspector.inspect_capture(capture).score for capture in held]
    assert card.threshold == pytest.approx(max(scores), rel=1e-3)


@pytest.mark.slow
def test_supersimplenet_is_a_job_of_the_comparison(tiny, tmp_path):
    settings, job = Settings(image_size=128, epochs=1), Job("Confetto", "supersimplenet", "all", 0)
    Store(tmp_path).open(settings)
    assert run_job(tiny, job, settings, tmp_path) == "done", read_results(tmp_path)[job].get("traceback")
    result = read_results(tmp_path)[job]
    assert len(result["captures"]) == 16 and 0 <= result["image_auroc"] <= 1 and result["pixel_auroc"] is not None


@pytest.mark.slow
def test_any_class_is_a_method_of_the_comparison_on_the_mean_or_on_each_light(tiny, tmp_path):
    suite = Suite(runs=(Run(methods=("anomalib:Padim", "anomalib:Padim+each")),))
    settings, jobs = Settings(image_size=64), jobs_of(suite, ["Confetto"], 6)
    Store(tmp_path).open(settings)
    for job in jobs:
        assert run_job(tiny, job, settings, tmp_path) == "done", read_results(tmp_path)[job].get("traceback")
    results = read_results(tmp_path)
    config = TrainConfig(fusion="anomalib:Padim", image_size=64, false_alarm_rate=0.1, anomalib={"epochs": 100})
    train(open_dataset(tiny), tmp_path / "run", config, holdout=open_dataset(tiny, split="val"))
    inspector = Inspector.load(tmp_path / "run", check_lights=False)
    ours = [inspector.inspect_capture(capture).score for capture in open_dataset(tiny, split="test_public")]
    mean, each = ([row["score"] for row in results[job]["captures"]] for job in jobs)
    assert mean == pytest.approx(ours, rel=1e-4) and each != pytest.approx(mean, rel=1e-3)
    assert all(":" not in path.name for path in (tmp_path / "results").iterdir())
    shown = str(build_tables(tmp_path))
    assert "Padim (anomalib)" in shown and "Padim (anomalib, each light)" in shown


def test_a_class_that_there_is_not_is_found_before_the_first_job():
    with pytest.raises(ModelError, match=r"anomalib has no model 'Nope'; choose from .*Padim"):
        get_method("anomalib:Nope+each").load()
    with pytest.raises(ModelError, match=r"method 'anomalib:Padim\+some': unknown; choose from .*anomalib:CLASS"):
        get_method("anomalib:Padim+some")

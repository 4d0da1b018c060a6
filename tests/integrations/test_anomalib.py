"""anomalib's Engine with our lights and models in it, and anomalib's models in our commands."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from typer.testing import CliRunner

pytest.importorskip("anomalib")
from anomalib.data.predict import PredictDataset
from anomalib.engine import Engine

from afrd import Inspector, TrainConfig, evaluate, train
from afrd.checkpoint import load_card
from afrd.cli import app
from afrd.datasets import open_dataset
from afrd.errors import ModelError
from afrd.families import FAMILIES, register
from afrd.imaging import ImagingOptions
from afrd.imaging.alignment import Alignment
from afrd.integrations.anomalib import LightsBatch, LightsDataModule, MultiLight, StatedThreshold
from captures import write_folder, write_image
from toy_family import Toy

QUIET = {"logger": False, "enable_progress_bar": False, "accelerator": "cpu"}


@pytest.fixture(autouse=True)
def toy():
    register(Toy())
    warnings.simplefilter("ignore")
    yield
    FAMILIES.pop()


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):
    """Engine, module, data: joint, trained by anomalib's Engine."""
    root = tmp_path_factory.mktemp("engine")
    data = LightsDataModule(tiny, "Confetto", eval_batch_size=4)
    quick = {"painting": {"captures": 4, "pairs": 4}, "disturbing": {"captures": 0, "copies": 0}}
    module = MultiLight("joint", settings={"image_size": 64, "false_alarm_rate": 0.2, **quick})
    engine = Engine(default_root_dir=root, **QUIET)
    engine.fit(module, datamodule=data)
    return engine, module, data


def test_a_batch_carries_the_lights_beside_an_image_that_anomalib_takes(tiny):
    data = LightsDataModule(tiny, "Confetto", eval_batch_size=3)
    data.setup()
    batch = next(iter(data.test_dataloader()))
    assert isinstance(batch, LightsBatch)
    assert batch.lights.shape == (3, 6, 3, 64, 64) and batch.image.shape == (3, 3, 64, 64)
    torch.testing.assert_close(batch.image, batch.lights.mean(1))
    assert batch.gt_mask.shape == (3, 64, 64)
    (first, *_) = batch.items
    assert first.lights.shape == (6, 3, 64, 64)


def test_engine_trains_tests_and_predicts_as_our_commands_do(trained, tiny):
    engine, module, data = trained
    (figures,) = engine.test(module, datamodule=data, verbose=False)
    run = engine.trainer.default_root_dir + "/afrd"
    drawn = {path.stem for path in Path(engine.trainer.default_root_dir).rglob("*.png")}
    assert len(drawn & {record.images[0].stem for record in open_dataset(tiny, split="test").records}) == 16
    ours = evaluate(Inspector.load(run, check_lights=False), open_dataset(tiny, "Confetto", "test"), resamples=20)
    assert figures["image_AUROC"] == pytest.approx(ours.image_auroc, abs=1e-6)
    assert figures["pixel_AUROC"] == pytest.approx(ours.pixel_auroc, abs=2e-3)  # theirs is not binned
    batches = engine.predict(module, datamodule=data)
    labels = torch.cat([batch.pred_label for batch in batches]).tolist()
    paths = [path for batch in batches for path in batch.image_path]
    by_path = {
        str(r.images[0]): c for r, c in zip(open_dataset(tiny, split="test").records, ours.captures, strict=True)
    }
    assert labels == [by_path[path].verdict for path in paths]
    assert isinstance(module.post_processor, StatedThreshold)
    scores = torch.cat([batch.pred_score for batch in batches])
    assert ((scores > 0.5).tolist()) == labels and scores.max() < 1


def test_values_of_all_splits_are_read_as_those_of_train(tmp_path):
    """16-bit files of 12 bits, as only those of train show."""
    for place, brightest in (("train/good/0", 4095), ("train/good/1", 4095), ("val/good/0", 900), ("test/bad/0", 900)):
        for light in "ab":
            write_image(tmp_path / place / f"{light}.png", np.full((8, 8), brightest, np.uint16))
    data = LightsDataModule(tmp_path)
    data.setup()
    seen = [float(split[0].lights.max()) for split in (data.train_data, data.val_data, data.test_data)]
    assert seen == pytest.approx([1, 900 / 4095, 900 / 4095], abs=1e-3)


def test_a_model_of_some_of_the_lights_is_tested_on_these_in_its_order(tmp_path):
    write_folder(tmp_path / "data", {"train": {"good": 2}, "val": {"good": 1}, "test": {"good": 1, "blot": 1}}, size=64)
    lights, data = ("top", "left"), LightsDataModule(tmp_path / "data")
    module = MultiLight("toy", str(tmp_path / "run"), {"image_size": 64, "cells": 8, "lights": lights})
    engine = Engine(default_root_dir=tmp_path, **QUIET)
    engine.fit(module, datamodule=data)
    scores = torch.cat([batch.pred_score for batch in engine.predict(module, datamodule=data)])
    inspector = Inspector.load(tmp_path / "run", check_lights=False)
    test = open_dataset(tmp_path / "data", split="test").of_lights(lights)
    ours = [inspector.inspect_capture(capture).score for capture in test]
    assert np.argsort(scores.tolist()).tolist() == np.argsort(ours).tolist()


def test_the_papers_network_is_trained_by_the_engine_too(tiny, tmp_path):
    module = MultiLight("attention", str(tmp_path / "run"), {"image_size": 64, "epochs": 1, "seed": 3})
    engine, data = Engine(default_root_dir=tmp_path, **QUIET), LightsDataModule(tiny, "Confetto")
    engine.train(module, datamodule=data)  # fits, then tests
    config = TrainConfig(fusion="attention", image_size=64, epochs=1, seed=3)
    train(open_dataset(tiny), tmp_path / "ours", config, holdout=open_dataset(tiny, split="val"))
    assert load_card(tmp_path / "run").trained_digest == load_card(tmp_path / "ours").trained_digest
    scores = torch.cat([batch.pred_score for batch in engine.predict(module, datamodule=data)])
    inspector = Inspector.load(tmp_path / "ours", check_lights=False)
    ours = torch.tensor([inspector.inspect_capture(capture).score for capture in open_dataset(tiny, split="test")])
    torch.testing.assert_close(scores, (ours / (ours + inspector.threshold)).to(scores.dtype), rtol=1e-3, atol=1e-4)


def test_a_checkpoint_of_anomalib_is_the_same_model(trained, tmp_path):
    engine, module, data = trained
    path = tmp_path / "model.ckpt"
    engine.trainer.save_checkpoint(path)
    loaded = MultiLight.load_from_checkpoint(path, weights_only=True)
    assert loaded.card == module.card
    data.setup()
    lights = next(iter(data.test_dataloader())).lights
    with torch.no_grad():
        torch.testing.assert_close(loaded.eval().model(lights).pred_score, module.eval().model(lights).pred_score)


def test_a_checkpoint_goes_by_the_lights_as_their_weights_say(trained, tmp_path, monkeypatch):
    engine, module, data = trained
    said = module.card.lights.model_copy(update={"weights": (1.0,) * 5 + (0.0,)})
    monkeypatch.setattr(module, "card", module.card.model_copy(update={"lights": said}))
    engine.trainer.save_checkpoint(tmp_path / "model.ckpt")
    loaded = MultiLight.load_from_checkpoint(tmp_path / "model.ckpt", weights_only=True).eval()
    data.setup()
    lights = next(iter(data.test_dataloader())).lights
    with torch.no_grad():
        scores = loaded.model(lights).pred_score
        lights[:, 5] = torch.rand_like(lights[:, 5])
        torch.testing.assert_close(loaded.model(lights).pred_score, scores)


def test_a_region_that_follows_the_part_is_refused(trained, tiny, monkeypatch):
    engine, module, data = trained
    alignment = Alignment.to(open_dataset(tiny)[0].images)
    imaging = module.card.imaging.model_copy(update={"alignment": alignment})
    monkeypatch.setattr(module, "card", module.card.model_copy(update={"imaging": imaging}))
    with pytest.raises(ModelError, match=r"align: part: anomalib has no answer .* use afrd evaluate"):
        engine.test(module, datamodule=data, verbose=False)


def test_what_a_multi_light_model_cannot_read_is_said(tiny, tmp_path, trained):
    with pytest.raises(ModelError, match=r"is not trained; call Engine\.fit"):
        Engine(default_root_dir=tmp_path, **QUIET).test(
            MultiLight("toy"), datamodule=LightsDataModule(tiny, "Confetto")
        )
    images = PredictDataset(next(tiny.glob("Confetto/test_public/data/*_image_0.png")))
    with pytest.raises(ModelError, match="batches without lights; use LightsDataModule"):
        trained[0].predict(trained[1], dataloaders=torch.utils.data.DataLoader(images, collate_fn=images.collate_fn))


def test_the_rigs_gain_is_taken_out_for_the_threshold_as_for_the_verdict(tmp_path):
    """Or the threshold would be one of brighter and darker parts, which no defect reaches."""
    data, rng = tmp_path / "data", np.random.default_rng(0)
    write_folder(data, {"train": {"good": 6}, "val": {"good": 4}}, size=64, masks=False)
    for part in data.glob("*/good/*"):
        gain = rng.uniform(0.6, 1)
        for file in part.iterdir():
            Image.fromarray((np.asarray(Image.open(file)) * gain).astype(np.uint8)).save(file)
    held = open_dataset(data, split="val")
    options = ImagingOptions(gain="rig")
    config = TrainConfig(fusion="anomalib:Padim", image_size=64, false_alarm_rate=0.2, imaging=options)
    card = train(open_dataset(data), tmp_path / "run", config, holdout=held)
    inspector = Inspector.load(tmp_path / "run", check_lights=False)
    scores = [inspector.inspect_capture(c).score for c in held.read_as(inspector.imaging)]
    assert card.threshold == pytest.approx(max(scores), rel=1e-3)


def test_an_anomalib_model_is_a_family_judged_by_our_threshold(tiny, tmp_path):
    test = open_dataset(tiny, "Confetto", "test")
    config = TrainConfig(fusion="anomalib:Padim", image_size=64, false_alarm_rate=0.2)
    train(open_dataset(tiny), tmp_path / "run", config, holdout=open_dataset(tiny, split="val"))
    card = load_card(tmp_path / "run")
    assert (card.holdout_parts, card.fusion) == (6, "anomalib:Padim")
    inspector = Inspector.load(tmp_path / "run", check_lights=False)
    held = [inspector.inspect_capture(c).score for c in open_dataset(tiny, split="val")]
    assert sum(score > card.threshold for score in held) == 0 and card.threshold == pytest.approx(max(held), rel=1e-3)
    assert evaluate(inspector, test, resamples=20).image_auroc > 0.8
    # against anomalib's own class, fitted by hand on the same images
    from afrd.integrations.anomalib.guest import lights_of

    own = inspector._runtime.module
    with torch.no_grad():
        pictures = own.pictures(lights_of(test[0].images))
        expected = own.guest(own.prepared_by(pictures)).pred_score
    assert inspector.inspect_capture(test[0]).score == pytest.approx(float(expected), rel=1e-4)


def test_a_memory_bank_as_large_as_what_was_learned_comes_back_and_reads_each_light(tiny, tmp_path):
    options = ["--fusion", "anomalib:Patchcore", "--anomalib-reads", "each", "--image-size", "64"]
    options += ["--anomalib-arguments", '{"coreset_sampling_ratio": 0.05}', "--category", "Confetto"]
    options += ["--cache-dir", str(tmp_path / "features")]
    command = ["train", str(tiny), "--out", str(tmp_path / "run"), *options]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "without effect; fusion anomalib:Patchcore kept no features there" in " ".join(done.output.split())
    bank = load_file(tmp_path / "run/model.safetensors")["guest.memory_bank"]
    assert len(bank) == int(0.05 * 12 * 6 * 64)
    capture = open_dataset(tiny, split="test")[0]
    inspection = Inspector.load(tmp_path / "run", check_lights=False).inspect_capture(capture)
    assert np.isfinite(inspection.score) and inspection.anomaly_map.shape == capture.size


def test_what_a_guest_cannot_do_is_said_at_training(tiny, tmp_path):
    captures, held = (open_dataset(tiny, split=split)[:2] for split in ("train", "val"))
    settings = {"epochs": 1, "arguments": '{"backbone": "resnet18", "pre_trained": false}'}
    config = TrainConfig(fusion="anomalib:Fastflow", image_size=64, false_alarm_rate=0.5, anomalib=settings)
    with pytest.raises(ModelError, match="accelerator cuda: models of anomalib are trained on the processor"):
        train(captures, tmp_path / "gpu", config.model_copy(update={"accelerator": "cuda"}), holdout=held)
    with pytest.warns(UserWarning, match="Fastflow: its maps fall below 0, .*; predict with --maps npy"):
        train(captures, tmp_path / "run", config, holdout=held)
    assert Inspector.load(tmp_path / "run").inspect_capture(held[0]).anomaly_map.min() < 0


@pytest.mark.parametrize(
    ("fusion", "arguments", "said"),
    [
        ("anomalib:Nope", "{}", r"anomalib has no model 'Nope'; choose from .*Padim"),
        ("anomalib:MHPatchcore", "{}", r"cannot be smaller than center crop .*; choose another --image-size"),
        ("anomalib:EfficientAd", "{}", r"train it by anomalib's Engine on a LightsDataModule"),
        ("anomalib:Stfpm", "{}", r"learns from a backbone of its own"),
        ("anomalib:Padim", "{n", r"--anomalib-arguments '\{n': no JSON"),
        ("anomalib:Padim", "[1]", r"write an object"),
        ("anomalib:Padim", '{"depth": 3}', r"anomalib:Padim: .*depth.*; correct --anomalib-arguments"),
    ],
)
def test_an_anomalib_model_that_there_is_not(tiny, tmp_path, fusion, arguments, said):
    config = TrainConfig(fusion=fusion, image_size=64, anomalib={"arguments": arguments})
    with pytest.raises(ModelError, match=said):
        train(open_dataset(tiny), tmp_path / "run", config, holdout=open_dataset(tiny, split="val"))

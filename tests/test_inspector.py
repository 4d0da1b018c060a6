import json

import numpy as np
import pytest
import torch

from afrd.capture import Capture, LightRig
from afrd.checkpoint import load_model
from afrd.datasets import open_dataset
from afrd.errors import DatasetError, ModelError, RunError
from afrd.evaluation.visual import read_map_png16
from afrd.inspector import Inspector
from afrd.prediction import predict
from afrd.training import TrainConfig, train


@pytest.fixture(scope="module")
def run(tiny, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    captures, holdout = (open_dataset(tiny, "Confetto", split) for split in ("train", "val"))
    train(captures, out, TrainConfig(epochs=3, image_size=64, false_alarm_rate=0.2), holdout=holdout)
    return out


@pytest.fixture(scope="module")
def trained(run):
    return Inspector.load(run)


@pytest.fixture
def test_set(tiny):
    return open_dataset(tiny, "Confetto", "test_public")


def test_the_verdict_is_the_models_forward_pass(run, trained, test_set):
    capture = test_set[3]
    inspection = trained.inspect_capture(capture)
    with torch.inference_mode():
        direct = load_model(run)[0](torch.from_numpy(capture.images)[None])
    assert inspection.score == pytest.approx(float(direct.score))
    np.testing.assert_allclose(inspection.anomaly_map, direct.anomaly_map[0], atol=1e-6)
    assert inspection.anomalous == (inspection.score > trained.threshold)
    assert inspection.light_weights.shape == (3, 6)
    np.testing.assert_allclose(inspection.light_weights.sum(1), 1, atol=1e-5)


def test_a_threshold_from_good_parts_passes_most_of_them(trained, tiny):
    held_out = open_dataset(tiny, "Confetto", "val")
    alarms = sum(trained.inspect_capture(c).anomalous for c in held_out)
    assert alarms <= 0.2 * len(held_out)


def test_the_map_has_the_size_of_the_capture_whatever_the_models(trained, test_set):
    images = np.repeat(np.repeat(test_set[0].images, 2, axis=2), 3, axis=3)  # 128 × 192
    assert trained.inspect(images).anomaly_map.shape == (128, 192)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda x: x[:5], r"shape \[5, 3, 64, 64\]; expected \[6, 3, H, W\].*light_box"),
        (lambda x: x[:, :1], r"shape \[6, 1, 64, 64\]"),
        (lambda x: x.astype(np.float32), "float32; expected uint8 or uint16"),
    ],
)
def test_images_that_do_not_fit_the_model(trained, test_set, change, says):
    with pytest.raises(ModelError, match=rf"capture c7: .*{says}"):
        trained.inspect(change(test_set[0].images), "c7")


def test_lights_in_another_order_are_refused(trained, test_set):
    capture = test_set[0]
    names = capture.lights.names
    other = Capture(capture.id, capture.images, LightRig((names[1], names[0], *names[2:])))
    with pytest.raises(DatasetError, match=r"bottom, all_spots.*model has all_spots, bottom.*order in lights\.yaml"):
        trained.inspect_capture(other)


@pytest.mark.parametrize("map_format", ["png16", "npy"])
def test_prediction_writes_what_it_says(trained, test_set, tmp_path, map_format):
    lines = []
    for inspection, line in predict(trained, test_set.subset([0, 9]), tmp_path, map_format=map_format):
        lines.append(line)
        path = tmp_path / line["map"]
        stored = np.load(path) if map_format == "npy" else read_map_png16(path)[0]
        np.testing.assert_allclose(stored, inspection.anomaly_map, atol=1e-3)
        x, y = line["peak"]
        assert inspection.anomaly_map[y, x] == inspection.anomaly_map.max()
        assert line["verdict"] == ("anomalous" if inspection.score > inspection.threshold else "good")
        assert sum(line["light_weights"].values()) == pytest.approx(1, abs=1e-4)
    assert {p.name for p in tmp_path.iterdir()} == {line[k] for line in lines for k in ("map", "overlay", "sheet")}
    assert json.loads(json.dumps(lines)) == lines  # as `--jsonl` writes them


def test_prediction_overwrites_nothing(trained, test_set, tmp_path):
    list(predict(trained, test_set.subset([0]), tmp_path))
    with pytest.raises(RunError, match="holds an answer for capture"):
        list(predict(trained, test_set.subset([1, 0]), tmp_path))
    assert len(list(predict(trained, test_set.subset([1, 0]), tmp_path, overwrite=True))) == 2


def test_arrays_as_people_have_them(trained, test_set):
    images = test_set[0].images
    flipped = trained.inspect(images[:, ::-1])  # BGR to RGB, a view with negative strides
    assert flipped.score == trained.inspect(images[:, ::-1].copy()).score
    assert trained.inspect(torch.from_numpy(images)).score == trained.inspect(images).score
    with pytest.raises(ModelError, match="images are no array"):
        trained.inspect([[1, 2], [3]])
    with pytest.raises(ModelError, match=r"shape \[6, 3, 64, 0\]"):
        trained.inspect(images[..., :0])


def test_a_device_that_is_not_there(tmp_path):
    with pytest.raises(ModelError, match="device 'bogus': not usable here"):
        Inspector.load(tmp_path, "bogus")

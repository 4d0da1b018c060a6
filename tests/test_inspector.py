import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from afrd.capture import Capture, LightRig
from afrd.checkpoint import load_model
from afrd.datasets import open_dataset
from afrd.errors import DatasetError, ModelError, RunError
from afrd.evaluation import evaluate
from afrd.imaging.smoothing import smoothed
from afrd.inspector import Inspector
from afrd.map_png import read_map_png16
from afrd.prediction import predict
from afrd.runtimes import open_runtime
from afrd.training import TrainConfig, train


@pytest.fixture(scope="module")
def run(tiny, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    captures, holdout = (open_dataset(tiny, "Confetto", split) for split in ("train", "val"))
    train(captures, out, TrainConfig(image_size=64, false_alarm_rate=0.2), holdout=holdout)
    return out


@pytest.fixture(scope="module")
def trained(run):
    return Inspector.load(run)


@pytest.fixture(scope="module")
def lenient(run):
    """Judges by the other lights where one failed."""
    return Inspector.load(run, on_light_fault="leave-out")


@pytest.fixture
def test_set(tiny):
    return open_dataset(tiny, "Confetto", "test_public")


def test_the_verdict_is_the_models_forward_pass(run, trained, test_set):
    capture = test_set[3]
    inspection = trained.inspect_capture(capture)
    with torch.inference_mode():
        direct = load_model(run)[0](torch.from_numpy(capture.images)[None])
    assert inspection.score == pytest.approx(float(direct.score), rel=1e-5)
    calm = smoothed(direct.anomaly_map[0].numpy(), trained.card.map_sigma, trained.threshold)
    np.testing.assert_allclose(inspection.anomaly_map, calm, rtol=1e-5, atol=1e-5)
    assert inspection.anomalous == (inspection.score > trained.threshold)
    np.testing.assert_allclose(inspection.light_weights, np.full((1, 6), 1 / 6), rtol=1e-6)  # it goes by all alike
    np.testing.assert_allclose(inspection.light_evidence, direct.light_weights[0, 0], rtol=1e-4)
    assert np.ptp(inspection.light_evidence) > 0.01  # but not all show the same


def test_smoothed_maps_have_the_same_scores_verdicts_and_outlines(run, trained, test_set):
    plain = Inspector.load(run)
    plain.card = plain.card.model_copy(update={"map_sigma": 0})
    calmer = []
    for capture in test_set:
        one, other = trained.inspect_capture(capture), plain.inspect_capture(capture)
        assert (one.score, one.verdict) == (other.score, other.verdict)
        assert (one.light_evidence == other.light_evidence).all()
        above = [found.anomaly_map > found.threshold for found in (one, other)]
        assert (above[0] == above[1]).all()
        calmer.append(np.abs(np.diff(one.anomaly_map)).mean() < np.abs(np.diff(other.anomaly_map)).mean())
    assert all(calmer)


def test_the_part_that_sets_the_threshold_is_good(trained, tiny):
    """Too few are there for the rate asked for, so the largest score is the threshold: none is above it."""
    held_out = open_dataset(tiny, "Confetto", "val")
    scores = [trained.inspect_capture(c).score for c in held_out]
    assert max(scores) <= trained.threshold


def test_the_map_has_the_size_of_the_capture_whatever_the_models(trained, test_set):
    images = np.repeat(np.repeat(test_set[0].images, 2, axis=2), 3, axis=3)  # 128 × 192
    assert trained.inspect(images).anomaly_map.shape == (128, 192)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda x: x[:5], r"shape \[5, 3, 64, 64\]; expected \[6, 3, H, W\].*light_box"),
        (lambda x: x[:, :2], r"shape \[6, 2, 64, 64\]"),
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
    answers = list(predict(trained, test_set.subset([0, 9]), tmp_path, map_format=map_format))
    lines = [line for _, line in answers]
    for inspection, line in answers:
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
    with pytest.raises(RunError, match="holds an answer for capture"):  # in another format, too
        list(predict(trained, test_set.subset([0]), tmp_path, map_format="npy"))
    assert len(list(predict(trained, test_set.subset([1, 0]), tmp_path, overwrite=True))) == 2
    options = {"map_format": "npy", "pictures": False, "overwrite": True}
    lines = [line for _, line in predict(trained, test_set.subset([1, 0]), tmp_path, **options)]
    assert {path.name for path in tmp_path.iterdir()} == {line["map"] for line in lines}  # nothing of former answers


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


def judged(inspector: Inspector, captures, change) -> list:
    return [inspector.inspect(change(capture.images.copy()), capture.id) for capture in captures]


def dark(images: np.ndarray) -> np.ndarray:
    images[3] = 0
    return images


def test_a_dead_light_is_left_out_and_defects_are_still_found(lenient, test_set):
    answers = judged(lenient, test_set, dark)
    assert all(answer.left_out == (3,) and answer.judged for answer in answers)
    assert all("top: dark" in answer.light_notes[0] for answer in answers)
    assert all(answer.threshold == lenient.card.thresholds_without[3] for answer in answers)
    assert all(answer.light_evidence[3] == 0 for answer in answers)
    assert all(answer.light_weights[0].tolist() == pytest.approx([0.2] * 3 + [0] + [0.2] * 2) for answer in answers)
    good, bad = (
        [a.score for a, c in zip(answers, test_set, strict=True) if c.anomalous == is_bad] for is_bad in (0, 1)
    )
    assert max(good) < min(bad)
    whole = lenient.inspect_capture(test_set[0])  # and it is used again once it is lit
    assert whole.left_out == () and whole.light_faults == ()


def test_a_light_said_to_be_missing_is_not_looked_at(trained, test_set):
    capture = test_set[9]
    told = trained.inspect_capture(capture, missing=["top"])
    found = trained.inspect(dark(capture.images.copy()))
    assert told.score == found.score
    assert told.light_faults == ()
    np.testing.assert_array_equal(told.anomaly_map, found.anomaly_map)
    images = capture.images.copy()
    images[1] = 0
    second = trained.inspect(images, missing=["top"])  # the others are still checked
    assert [(f.kind, f.light) for f in second.light_faults] == [("dark", 1)]
    assert second.verdict == "light fault"


def test_what_was_not_judged_counts_in_no_metric(trained, test_set):
    class Rig:
        """The first two captures, one good and one bad, came when two lights were out."""

        threshold, config = trained.threshold, trained.config

        def inspect_capture(self, capture):
            images = capture.images.copy()
            if capture.id in (test_set[0].id, test_set[8].id):
                images[[1, 3]] = 0
            return trained.inspect(images, capture.id)

    evaluation = evaluate(Rig(), test_set, resamples=10)
    assert (evaluation.n_good, evaluation.n_bad) == (7, 7)
    assert sum(evaluation.confusion.values()) == 14
    assert [r["id"] for r in evaluation.to_json()["captures"] if r["verdict"] == "light fault"] == [
        test_set[0].id,
        test_set[8].id,
    ]


def test_threads_that_leave_out_different_lights_do_not_disturb_each_other(trained, test_set):
    names = [(), ("top",), ("left",)] * 8
    capture = test_set[9]
    expected = {missing: trained.inspect_capture(capture, missing).score for missing in set(names)}
    assert len(set(expected.values())) == 3
    with ThreadPoolExecutor(4) as pool:
        scores = pool.map(lambda missing: trained.inspect_capture(capture, missing).score, names)
    assert list(scores) == [expected[missing] for missing in names]


@pytest.mark.parametrize("on_light_fault", ["reject", "leave-out"])
def test_swapped_lights_are_reported_and_never_put_back(run, test_set, on_light_fault):
    inspector = Inspector.load(run, on_light_fault=on_light_fault)
    order = [0, 1, 4, 3, 2, 5]  # right and left
    for capture in test_set:
        answer = inspector.inspect(capture.images[order])
        assert [(f.kind, f.light, f.other) for f in answer.light_faults] == [("swapped", 2, 4)]
        assert answer.verdict == "light fault"
        assert answer.would_be == "anomalous"  # of the images as they are
        unchecked = Inspector.load(run, check_lights=False).inspect(capture.images[order])
        assert answer.score == unchecked.score


def test_two_bad_lights_are_no_verdict_on_the_part(trained, test_set):
    images = dark(test_set[0].images.copy())
    images[1] = 0
    answer = trained.inspect(images)
    assert answer.verdict == "light fault"
    assert not answer.judged


def test_another_part_is_never_good(trained, lenient, test_set):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, test_set[0].images.shape, dtype=np.uint8)
    assert lenient.inspect(noise).verdict == "anomalous"  # all lights are unlike, so it is the part
    answer = trained.inspect(noise)
    assert (answer.verdict, answer.would_be) == ("light fault", "anomalous")


def test_of_two_lights_that_contradict_each_other_neither_is_trusted(tiny, tmp_path):
    for image in (tiny / "Confetto" / "train" / "data").glob("*_image_[24].png"):
        part, _, light = image.stem.partition("_image_")
        folder = tmp_path / "data" / "train" / "good" / part
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(image, folder / f"light{light}.png")
    good = open_dataset(tmp_path / "data", None, "train")
    train(good, tmp_path / "run", TrainConfig(image_size=64, false_alarm_rate=0.5))
    two = Inspector.load(tmp_path / "run")
    assert two.inspect(good[0].images).light_faults == ()
    images = good[0].images * np.array([0.7, 1.3], np.float32)[:, None, None, None]
    answer = two.inspect(np.clip(images, 0, 255).astype(np.uint8))
    assert {(f.kind, f.light, f.other) for f in answer.light_faults} == {("unlike", 0, 1)}
    assert answer.verdict == "light fault"
    assert answer.anomalous  # it must not pass as good


def test_a_fusion_that_needs_every_light_says_so(tiny, test_set, tmp_path):
    captures, holdout = (open_dataset(tiny, "Confetto", split) for split in ("train", "val"))
    config = TrainConfig(fusion="mean", epochs=1, image_size=64, false_alarm_rate=0.2)
    train(captures, tmp_path / "run", config, holdout=holdout)
    mean = Inspector.load(tmp_path / "run")
    answer = mean.inspect(dark(test_set[0].images.copy()))
    assert answer.verdict == "light fault"
    assert answer.left_out == ()
    assert answer.light_evidence is None
    with pytest.raises(ModelError, match="this model can do without no light; use the run folder of --fusion joint"):
        mean.inspect_capture(test_set[0], missing=["top"])


@pytest.mark.parametrize(
    ("missing", "says"), [(["front"], "missing light front: this model has all_spots"), (["top", "left"], "one light")]
)
def test_missing_lights_that_cannot_be_are_named(trained, test_set, missing, says):
    with pytest.raises(ModelError, match=says):
        trained.inspect_capture(test_set[0], missing=missing)


def test_a_light_without_which_nothing_is_left_to_judge_by_cannot_be_left_out(run, test_set):
    runtime = open_runtime(run)
    without = (None, *runtime.card.thresholds_without[1:])
    runtime.card = runtime.card.model_copy(update={"thresholds_without": without})
    inspector = Inspector(runtime, on_light_fault="leave-out")
    with pytest.raises(ModelError, match=r"missing lights all_spots: .* one light at most, of bottom, right, top"):
        inspector.inspect_capture(test_set[0], missing=["all_spots"])
    images = test_set[0].images.copy()
    images[0] = 0
    dark = inspector.inspect(images)
    assert (dark.verdict, dark.left_out) == ("light fault", ())
    assert inspector.inspect_capture(test_set[0], missing=["top"]).left_out == (3,)

import threading

import numpy as np
import pytest
import torch

from afrd.capture import Capture
from afrd.datasets import open_dataset
from afrd.errors import RunError
from afrd.imaging import ImagingOptions
from afrd.model import AFRD
from afrd.model.teacher import Teacher
from afrd.training.features import Recompute, cache_features, feature_bytes, stored_features


def model(teacher, fusion="attention"):
    return AFRD(teacher, lights=6, image_size=64, fusion=fusion)


def cached(model, captures, folder, where="memory", digest="d", budget_gb=4.0):
    return cache_features(model, captures, where=where, budget_gb=budget_gb, folder=folder, data_digest=digest)


@pytest.fixture
def captures(tiny):
    return open_dataset(tiny, "Confetto", "train")


@pytest.mark.parametrize("fusion", ["attention", "mean", "single:3"])
def test_cached_features_are_the_teachers_to_half_precision(teacher, captures, tmp_path, fusion):
    m = model(teacher, fusion)
    cache, fresh = cached(m, captures, tmp_path), Recompute(m, captures, torch.device("cpu"))
    indices = [5, 0, 7]
    levels = fresh.batch(indices)
    expected = m.fuse(levels)[0] if cache.fused else levels
    for level, reference in zip(cache.batch(indices), expected, strict=True):
        assert level.dtype == torch.float32
        np.testing.assert_allclose(level, reference, rtol=1e-3, atol=1e-3)


def test_disk_and_memory_hold_the_same_values(teacher, captures, tmp_path):
    m = model(teacher)
    memory, disk = cached(m, captures, tmp_path), cached(m, captures, tmp_path, "disk")
    for a, b in zip(memory.batch(range(12)), disk.batch(range(12)), strict=True):
        assert torch.equal(a, b)
    assert isinstance(disk.levels[0], np.memmap)
    on_disk = sum(p.stat().st_size for p in tmp_path.rglob("*.npy"))
    assert feature_bytes(m, len(captures)) <= on_disk < 1.01 * feature_bytes(m, len(captures))


def test_features_on_disk_are_found_again_and_only_by_what_made_them(teacher, captures, tmp_path):
    passes = []
    track = {"where": "disk", "budget_gb": 0, "folder": tmp_path, "progress": lambda done, total: passes.append(done)}
    for fusion in ("mean", "single:1", "single:2", "attention"):
        cache_features(model(teacher, fusion), captures, data_digest="a", **track)
    assert len(passes) == 48
    for fusion in ("mean", "single:1", "single:2", "attention"):
        cache_features(model(teacher, fusion), captures, data_digest="a", **track)
    assert len(passes) == 48
    cache_features(model(teacher), captures, data_digest="b", **track)
    assert len(passes) == 60


def test_what_they_take_is_told_before_the_teacher_reads_and_only_then(teacher, captures, tmp_path):
    m, told = model(teacher, "mean"), []
    given = {"budget_gb": 1, "folder": tmp_path, "data_digest": "d", "on_needed": lambda *what: told.append(what)}
    for where in ("memory", "disk", "disk"):  # the second time they lie there
        cache_features(m, captures, where=where, progress=lambda done, total: told.append("reads"), **given)
    size = feature_bytes(m, len(captures))
    assert [what for what in told if what != "reads"] == [(size, "memory"), (size, "disk")]
    assert told[0] == (size, "memory")


def test_auto_goes_to_disk_when_the_budget_is_too_small(teacher, captures, tmp_path):
    m = model(teacher)
    needed = feature_bytes(m, len(captures)) / 1e9
    assert not isinstance(cached(m, captures, tmp_path, "auto", budget_gb=needed * 1.01).levels[0], np.memmap)
    assert isinstance(cached(m, captures, tmp_path, "auto", budget_gb=needed * 0.99).levels[0], np.memmap)
    with pytest.raises(RunError, match="raise --cache-gb"):
        cached(m, captures, tmp_path, "memory", budget_gb=needed * 0.99)


def test_a_full_disk_is_noticed_before_writing(teacher, captures, tmp_path, monkeypatch):
    import shutil

    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(RunError, match=r"GB are free.*--cache-dir"):
        cached(model(teacher), captures, tmp_path, "disk")
    assert not list(tmp_path.iterdir())


def test_a_damaged_cache_is_named(teacher, captures, tmp_path):
    cached(model(teacher), captures, tmp_path, "disk")
    (path,) = tmp_path.rglob("level1.npy")
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(RunError, match=r"level1\.npy: damaged.*delete"):
        cached(model(teacher), captures, tmp_path, "disk")


def test_captures_of_other_sizes_and_depths_are_recomputed_as_they_are_cached(teacher, captures, tmp_path):
    first, second = captures[0], captures[1]
    larger = np.repeat(np.repeat(second.images, 2, axis=2), 2, axis=3).astype(np.uint16) * 257
    mixed = [first, Capture("large", larger, second.lights)]
    m = model(teacher)
    fresh = Recompute(m, mixed, torch.device("cpu")).batch([0, 1])
    for level, reference in zip(cached(m, mixed, tmp_path).batch([0, 1]), fresh, strict=True):
        np.testing.assert_allclose(level, reference, rtol=1e-3, atol=1e-3)


def test_features_too_large_for_half_precision_are_refused(captures, tmp_path):
    large = Teacher.load("efficientnet_lite0")
    large.backbone.blocks[1][-1].bn3.weight.data *= 1e6
    with np.errstate(over="ignore"), pytest.raises(RunError, match=r"half precision cannot hold; use --cache off"):
        cached(model(large), captures, tmp_path)


class Unreadable:
    """As many captures, none of which may be read."""

    def __init__(self, imaging):
        self.imaging = imaging

    def __len__(self):
        return 12

    def __getitem__(self, index):
        raise AssertionError("read again")


@pytest.mark.parametrize("fusion", ["mean", "single:3"])
@pytest.mark.parametrize("where", ["memory", "disk"])
def test_features_of_all_lights_on_disk_serve_every_fusion_without_reading_a_capture(
    teacher, captures, tmp_path, fusion, where
):
    cached(model(teacher, "attention"), captures, tmp_path, "disk")
    before = set(tmp_path.iterdir())
    m = model(teacher, fusion)
    derived = cached(m, Unreadable(captures.imaging), tmp_path, where)
    direct = cached(m, captures, tmp_path / "other", where)
    levels = derived.batch([0, 11, 4])
    for a, b in zip(levels if derived.fused else m.fuse(levels)[0], direct.batch([0, 11, 4]), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-3)
    assert set(tmp_path.iterdir()) - {tmp_path / "other"} == before


def test_stored_features_give_the_lights_of_the_fusion_and_judge_as_the_images_do(teacher, captures, tmp_path):
    assert stored_features(model(teacher, "single:3"), captures, tmp_path, "d") is None
    cached(model(teacher, "attention"), captures, tmp_path, "disk")
    m = model(teacher, "single:3").eval()
    stored = stored_features(m, captures, tmp_path, "d")
    assert stored_features(m, captures, tmp_path, "another") is None
    with torch.inference_mode():
        for levels, capture in zip(stored.each(), captures, strict=True):
            direct = m(torch.from_numpy(capture.images)[None])
            np.testing.assert_allclose(m.judge(levels).anomaly_map, direct.anomaly_map, rtol=0.01, atol=1e-3)


def test_another_architecture_or_preparation_makes_features_of_its_own(captures, tmp_path, monkeypatch):
    m = model(Teacher.load("efficientnet_lite0"))
    cached(m, captures, tmp_path, "disk")
    assert stored_features(m, captures, tmp_path, "d")
    m.teacher.name = "efficientnet_lite1"  # with the same weights, say
    assert stored_features(m, captures, tmp_path, "d") is None
    m.teacher.name = "efficientnet_lite0"
    kept = captures.with_options(ImagingOptions(dead_pixels="keep"))  # which may have hot pixels
    assert kept.digest() == captures.digest() and stored_features(m, kept, tmp_path, "d") is None
    monkeypatch.setattr("afrd.training.features.RESIZING", "another")
    assert stored_features(m, captures, tmp_path, "d") is None


def test_of_two_trainings_that_want_the_same_features_one_makes_them(teacher, captures, tmp_path):
    made = {"first": 0, "second": 0}

    def make(name: str) -> None:
        def progress(done, total):
            made[name] += 1
            if name == "first" and done == 1:
                second.start()
                second.join(3)  # time enough to begin writing, if it does not wait

        m = model(teacher)
        cache_features(
            m, captures, where="disk", budget_gb=0, folder=tmp_path, data_digest="d", progress=progress
        ).batch([0])

    second = threading.Thread(target=make, args=("second",))
    make("first")
    second.join()
    assert made == {"first": 12, "second": 0}

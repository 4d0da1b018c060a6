"""The teacher's features of single images: read once in all baselines together, and the same as without sharing."""

import subprocess
import sys
import threading

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

from afrd.comparison.baselines import anomalib_models, backbone, shared_features, spade
from afrd.comparison.baselines.shared_features import POOLED, SharedFeatures, share
from afrd.comparison.job import Settings
from afrd.comparison.methods import METHODS
from afrd.errors import RunError
from captures import make_capture

SIZE = 64
BASELINES = (anomalib_models.padim, anomalib_models.patchcore, anomalib_models.dfm, anomalib_models.dfkde, spade.spade)


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    """A teacher from a file without classifier: that part is another one each time it is loaded."""
    torch.manual_seed(0)
    state = timm.create_model("resnet18", pretrained=False).state_dict()
    path = tmp_path_factory.mktemp("weights") / "resnet18.safetensors"
    save_file({name: tensor for name, tensor in state.items() if not name.startswith("fc.")}, path)
    return Settings(image_size=SIZE, teacher="resnet18", teacher_weights=str(path))


@pytest.fixture(scope="module")
def sets() -> list[np.ndarray]:
    """20 images to train on, 3 held out, 4 to test."""
    rng = np.random.default_rng(0)
    images = np.stack([make_capture(rng, 2, SIZE, defect=i >= 25)[0][0] for i in range(27)])
    return [images[:20], images[20:23], images[23:]]


@pytest.fixture
def passes(monkeypatch) -> list[torch.Tensor]:
    """Every image that went through a backbone, counted at its first convolution by a hook."""
    seen, load = [], backbone.load

    def hook(module, inputs) -> None:
        if inputs[0].shape[-1] == SIZE:  # anomalib tries every backbone on one image of 256²
            seen.extend(inputs[0])

    def watched(settings):
        model, normalisation = load(settings)
        first = next(module for module in model.modules() if isinstance(module, torch.nn.Conv2d))
        first.register_forward_pre_hook(hook)
        return model, normalisation

    monkeypatch.setattr(backbone, "load", watched)
    return seen


def records(store):
    return sorted(store.glob("images-*/*.safetensors"))


def same(a, b) -> None:
    for first, second in zip(a, b, strict=True):
        assert (first is None) == (second is None)
        if first is not None:
            np.testing.assert_array_equal(first, second)


@pytest.mark.slow
def test_all_baselines_and_seeds_together_read_an_image_once_and_score_as_without_sharing(sets, passes, tmp_path):
    settings = Settings(image_size=SIZE)
    jobs = [*((method, 0) for method in BASELINES), (anomalib_models.patchcore, 1)]
    apart = [method(*sets, settings, seed) for method, seed in jobs]
    assert len(passes) >= len(jobs) * 27
    passes.clear()
    for (method, seed), expected in zip(jobs, apart, strict=True):
        share(settings, tmp_path, sets)
        same(method(*sets, settings, seed, tmp_path), expected)
    assert len(passes) == len({image.numpy().tobytes() for image in passes}) == 27
    assert len(records(tmp_path)) == 27


def test_an_unshared_baseline_scores_as_anomalib_does_with_an_extractor_of_its_own(sets, settings, monkeypatch):
    expected = {}
    with monkeypatch.context() as patch:
        patch.setattr(anomalib_models, "_share", lambda model, backbone, store: None)
        for method in BASELINES[:4]:
            expected[method] = method(*sets, settings, 0)
    for method, answer in expected.items():
        shared = method(*sets, settings, 0)
        np.testing.assert_allclose(shared.scores, answer.scores, rtol=1e-4)
        if answer.maps is not None:
            np.testing.assert_allclose(shared.maps, answer.maps, rtol=1e-4, atol=1e-4 * answer.maps.max())


def test_a_record_is_what_the_modules_put_out(sets, settings, tmp_path):
    share(settings, tmp_path, sets[1:2])
    model, normalisation = backbone.load(settings)
    images, seen = backbone.normalised(sets[1], normalisation), {}
    for name in ("layer1", "layer2", "layer3", "layer4", "global_pool"):
        model.get_submodule(name).register_forward_hook(lambda m, i, out, name=name: seen.update({name: out}))
    with torch.no_grad():
        model(images)
    seen[POOLED] = seen.pop("global_pool")
    stored = SharedFeatures(model, tmp_path).read(images, list(seen))
    for name, expected in seen.items():
        torch.testing.assert_close(stored[name], expected)


def test_other_weights_have_other_records(sets, settings, tmp_path):
    share(settings, tmp_path / "store", sets[1:2])
    state = load_file(settings.teacher_weights)
    state["layer4.1.bn2.weight"] += 1
    save_file(state, tmp_path / "other.safetensors")
    other = settings.model_copy(update={"teacher_weights": str(tmp_path / "other.safetensors")})
    share(other, tmp_path / "store", sets[1:2])
    assert len(records(tmp_path / "store")) == 2 * len(sets[1])
    model, normalisation = backbone.load(other)
    images = backbone.normalised(sets[1], normalisation)
    stored = SharedFeatures(model, tmp_path / "store").read(images, ["layer4"])
    torch.testing.assert_close(stored, SharedFeatures(model).read(images, ["layer4"]), rtol=0, atol=0)


@pytest.mark.parametrize("damage", [lambda whole: whole[:-100], lambda whole: b"", lambda whole: b"\0" * len(whole)])
def test_a_damaged_record_is_named(damage, sets, settings, tmp_path):
    share(settings, tmp_path, sets[1:2])
    model, normalisation = backbone.load(settings)
    for path in records(tmp_path):
        path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(RunError, match=r"images-\w+/\w+\.safetensors: damaged .*; delete it and run again"):
        SharedFeatures(model, tmp_path).read(backbone.normalised(sets[1], normalisation), ["layer1"])


def test_a_disk_without_room_is_told_before_anything_is_written(sets, settings, tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 1_000_000})
    monkeypatch.setattr(shared_features.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(RunError, match=r"features take 0\.0 GB, 0\.0 GB are free: make room"):
        share(settings, tmp_path, sets[:1])
    assert not records(tmp_path)


PROCESS = """
import sys, numpy as np, torch
from afrd.comparison.baselines import backbone, shared_features
from afrd.comparison.job import Settings
store, weights, images = sys.argv[1:]
compute = shared_features.SharedFeatures._compute
def told(self, image):
    print("pass", flush=True)
    return compute(self, image)
shared_features.SharedFeatures._compute = told
torch.set_num_threads(1)
settings = Settings(image_size=64, teacher="resnet18", teacher_weights=weights)
print("ready", flush=True)
sys.stdin.readline()
shared_features.share(settings, store, [np.load(images)])
"""


@pytest.mark.slow
def test_two_processes_at_once_share_one_pass_and_one_that_is_killed_leaves_whole_records(sets, settings, tmp_path):
    np.save(tmp_path / "images.npy", sets[0])
    command = [sys.executable, "-c", PROCESS, str(tmp_path), settings.teacher_weights, str(tmp_path / "images.npy")]
    killed, *both = (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)
    )
    for process in (killed, *both):
        assert process.stdout.readline() == "ready\n"
    killed.stdin.write("\n")
    killed.stdin.flush()
    for _ in range(5):
        assert killed.stdout.readline() == "pass\n"
    killed.kill()
    killed.communicate()
    done = records(tmp_path)
    assert 4 <= len(done) < 20
    assert all(load_file(path)["layer4"].shape == (512, 2, 2) for path in done)
    told = []
    threads = [threading.Thread(target=lambda p=p: told.append(p.communicate("\n")[0])) for p in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [process.returncode for process in both] == [0, 0]
    assert "".join(told).count("pass") == 20 - len(done)
    model, normalisation = backbone.load(settings)
    images = backbone.normalised(sets[0], normalisation)
    stored = SharedFeatures(model, tmp_path).read(images, ["layer1", POOLED])
    assert len(records(tmp_path)) == 20
    torch.testing.assert_close(stored, SharedFeatures(model).read(images, ["layer1", POOLED]))


def test_the_methods_that_share_are_those_that_only_read_the_teacher():
    assert {method.load() for method in METHODS.values() if method.shares} == set(BASELINES)

"""Every single-image baseline: shapes, seeds, planted anomalies, bad input; and that each runs on our teacher."""

import subprocess
import sys

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from afrd.comparison.baselines import anomalib_models, anomalib_trained, autoencoder, backbone, spade
from afrd.comparison.job import Settings
from afrd.comparison.methods import METHODS
from afrd.errors import ModelError, RunError, WeightsError
from afrd.model.teacher import STRIDES
from captures import make_capture

SIZE = 64
QUICK = Settings(image_size=SIZE, epochs=2, batch_size=8)
FITTED = (anomalib_models.padim, anomalib_models.patchcore, anomalib_models.dfm, anomalib_models.dfkde, spade.spade)
TRAINED = (anomalib_trained.ganomaly, anomalib_trained.stfpm, autoencoder.ssim, autoencoder.l2)
WITHOUT_MAP = (anomalib_trained.ganomaly, anomalib_models.dfkde)


def by_name(functions):
    return pytest.mark.parametrize("method", functions, ids=lambda f: f.__name__)


@pytest.fixture(scope="module")
def sets() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """20 good images to train on, 4 held out, 4 good and 4 bad to test, and the masks of the last 8."""
    rng = np.random.default_rng(0)
    made = [make_capture(rng, 2, SIZE, defect=i >= 28) for i in range(32)]
    images, masks = np.stack([images[0] for images, _ in made]), np.stack([mask for _, mask in made])
    return images[:20], images[20:24], images[24:], masks[24:]


@pytest.fixture(scope="module")
def resnet18(tmp_path_factory) -> Settings:
    """A teacher from a file of made-up weights: batch-norm statistics that no initialisation has."""
    torch.manual_seed(0)
    model = timm.create_model("resnet18", pretrained=False)
    for name, value in model.named_buffers():
        if "running_mean" in name:
            value += 0.1 * torch.randn_like(value)
    path = tmp_path_factory.mktemp("weights") / "resnet18.safetensors"
    save_file(model.state_dict(), path)
    return QUICK.model_copy(update={"teacher": "resnet18", "teacher_weights": str(path)})


@pytest.fixture(scope="module")
def run(sets):
    """(method, seed, changed settings) → its answer; the same question is computed once."""
    known = {}

    def run(method, seed=0, **changes):
        key = (method, seed, *changes.items())
        if key not in known:
            known[key] = method(*sets[:3], QUICK.model_copy(update=changes), seed)
        return known[key]

    return run


@by_name((*FITTED, *(pytest.param(name, marks=pytest.mark.slow) for name in TRAINED)))
def test_gives_a_score_and_a_map_for_every_image_and_the_same_again(method, run, sets):
    first, second = run(method), method(*sets[:3], QUICK, 0)
    assert first.holdout_scores.shape == (4,)
    assert first.scores.shape == (8,)
    assert len(set(first.scores)) > 1
    if method in WITHOUT_MAP:
        assert first.maps is None
        assert first.holdout_maps is None
    else:
        assert first.holdout_maps.shape == (4, SIZE, SIZE)
        assert first.maps.shape == (8, SIZE, SIZE)
        assert first.maps.dtype == np.float32
    for a, b in zip(first, second, strict=True):
        if a is not None:
            assert np.isfinite(a).all()
            np.testing.assert_array_equal(a, b)


@by_name((anomalib_models.padim, anomalib_models.patchcore, *TRAINED))
def test_another_seed_gives_other_numbers(method, run):
    assert not np.array_equal(run(method).scores, run(method, seed=1).scores)


@by_name((anomalib_models.padim, anomalib_models.patchcore, spade.spade, anomalib_models.dfm))
def test_planted_anomalies_score_higher_and_light_up_where_they_are(method, run, sets):
    result, masks = run(method), sets[3]
    assert result.scores[4:].min() > max(result.scores[:4].max(), result.holdout_scores.max())
    if method is not anomalib_models.dfm:  # whose map is one value at this size
        bad = slice(4, None)
        assert result.maps[bad][masks[bad]].mean() > 1.2 * result.maps[bad][~masks[bad]].mean()


def test_dfkde_scores_what_is_unlike_all_training_images_higher(sets):
    train, holdout, test, _ = sets
    result = anomalib_models.dfkde(train, holdout, np.concatenate([test[:4], 255 - test[:4]]), QUICK, 0)
    assert result.scores[4:].min() > max(result.scores[:4].max(), result.holdout_scores.max())


@pytest.mark.slow
def test_stfpm_explains_good_images_better_with_training_and_not_planted_anomalies(run, sets):
    result, masks = run(anomalib_trained.stfpm, epochs=10), sets[3]
    assert result.holdout_scores.mean() < run(anomalib_trained.stfpm).holdout_scores.mean()
    bad = slice(4, None)
    assert result.maps[bad][masks[bad]].mean() > 1.2 * result.maps[bad][~masks[bad]].mean()


@by_name((autoencoder.ssim, autoencoder.l2))
def test_autoencoders_reproduce_smooth_images_and_not_a_pattern_on_them(method):
    ramp = np.linspace(0, 120, SIZE) + np.arange(24)[:, None, None, None] * 4.0  # [24, 1, 1, S]
    images = np.broadcast_to(ramp, (24, 3, SIZE, SIZE)).astype(np.uint8)
    bad = images[::6].copy()
    bad[:, :, 20:36, 20:36] = 250 * (np.indices((16, 16)).sum(0) // 2 % 2)
    short, long = (
        method(images[1::2], images[2::6], bad, QUICK.model_copy(update={"epochs": epochs}), 0) for epochs in (1, 60)
    )
    assert long.holdout_maps.mean() < 0.5 * short.holdout_maps.mean()
    assert long.scores.min() > long.holdout_scores.max()
    assert long.maps[:, 20:36, 20:36].mean() > 2 * long.maps[:, :, 44:].mean()


@pytest.mark.slow
@by_name((anomalib_trained.ganomaly, autoencoder.ssim, autoencoder.l2))
def test_half_precision_trains_to_about_the_same(method, run):
    full, half = run(method).scores, run(method, precision="bf16-mixed").scores
    assert not np.array_equal(full, half)
    np.testing.assert_allclose(half, full, rtol=0.4)


@pytest.mark.parametrize("name", ["efficientnet_lite0", "resnet18"])
def test_features_are_those_of_our_teacher(name, sets, teacher, resnet18):
    """Weights, normalisation and levels at once: any of them wrong, and the features differ."""
    from afrd.model.teacher import Teacher

    settings = QUICK if name == "efficientnet_lite0" else resnet18
    ours = teacher if name == "efficientnet_lite0" else Teacher.load("resnet18", resnet18.teacher_weights)
    expected = ours(torch.from_numpy(sets[2])[:, None].float() / 255)
    model, normalisation = anomalib_trained._stfpm_model(settings)
    model.train()  # the frozen part must not follow
    actual = model.teacher_model(backbone.normalised(sets[2], normalisation))
    for a, b in zip(actual.values(), expected, strict=True):
        torch.testing.assert_close(a, b[:, 0], rtol=1e-3, atol=1e-3)


def test_stfpm_student_shares_nothing_with_the_teacher_and_starts_at_random(resnet18):
    model, _ = anomalib_trained._stfpm_model(resnet18)
    teacher = {t.data_ptr() for t in model.teacher_model.state_dict().values()}
    student = {t.data_ptr() for t in model.student_model.state_dict().values()}
    assert not teacher & student
    assert all(p.requires_grad for p in model.student_model.parameters())
    assert not any(p.requires_grad for p in model.teacher_model.parameters())
    weights, other = (dict(m.named_parameters()) for m in (model.teacher_model, model.student_model))
    kernels = [name for name, value in weights.items() if value.ndim == 4]
    assert kernels
    assert not any(torch.equal(weights[name], other[name]) for name in kernels)


def test_stfpm_training_leaves_the_teacher_alone(sets, resnet18, monkeypatch):
    made = []
    build = anomalib_trained._stfpm_model
    monkeypatch.setattr(anomalib_trained, "_stfpm_model", lambda settings: made.append(build(settings)) or made[0])
    anomalib_trained.stfpm(sets[0], sets[1], sets[2], resnet18, 0)
    trained, untouched = (m[0].teacher_model.feature_extractor.state_dict() for m in (made[0], build(resnet18)))
    assert all(torch.equal(trained[name], value) for name, value in untouched.items())


def test_reverse_distillation_runs_on_resnets_from_a_file(sets, resnet18):
    train, holdout, test, _ = sets
    result, again = (anomalib_trained.reverse_distillation(train, holdout, test, resnet18, 0) for _ in range(2))
    assert result.maps.shape == (8, SIZE, SIZE)
    assert np.isfinite(result.maps).all()
    np.testing.assert_array_equal(result.maps, again.maps)
    model, _ = anomalib_trained._reverse_distillation_model(resnet18)
    expected = backbone.load(resnet18)[0].state_dict()
    loaded = model.encoder.feature_extractor.state_dict()
    assert len(loaded) > 80
    assert all(torch.equal(value, expected[name]) for name, value in loaded.items())


def test_reverse_distillation_says_which_teachers_it_takes(sets):
    with pytest.raises(ModelError, match=r"takes ResNets only; choose --teacher wide_resnet50_2.tv_in1k"):
        anomalib_trained.reverse_distillation(*sets[:3], QUICK, 0)


@by_name((*FITTED, anomalib_trained.stfpm))
def test_a_weights_file_that_lacks_a_tensor_is_refused(method, sets, resnet18, tmp_path):
    state = timm.create_model("resnet18", pretrained=False).state_dict()
    del state["layer3.0.bn1.running_var"]
    save_file(state, tmp_path / "short.safetensors")
    settings = resnet18.model_copy(update={"teacher_weights": str(tmp_path / "short.safetensors")})
    with pytest.raises(WeightsError, match=r"short\.safetensors.*1 tensors missing, first layer3\.0\.bn1\.running_var"):
        method(*sets[:3], settings, 0)


def test_dfkde_says_how_many_images_it_needs(sets):
    with pytest.raises(ModelError, match="16 training images; its 16 components need 17"):
        anomalib_models.dfkde(sets[0][:16], sets[1], sets[2], QUICK, 0)


def test_a_diverging_training_is_an_error(sets, monkeypatch):
    monkeypatch.setattr(autoencoder, "_squared_error", lambda a, b: (a - b).mean(1) / 0)
    with pytest.raises(RunError, match="diverged"):
        autoencoder.l2(*sets[:3], QUICK, 0)


def test_a_backbone_without_the_levels_is_refused():
    model = timm.create_model("resnet18", pretrained=False)
    assert backbone.layer_names(model, STRIDES) == ["layer1", "layer2", "layer3"]
    with pytest.raises(ModelError, match=r"strides \[2, 4, 8, 16, 32\]; the baseline needs \[64\]"):
        backbone.layer_names(model, (64,))


def test_without_anomalib_the_error_names_the_extra():
    """Another process, in which anomalib cannot be imported; our own baselines still can."""
    code = (
        "import sys; sys.modules['anomalib'] = sys.modules['sklearn'] = None\n"
        "import afrd.comparison.baselines.autoencoder, afrd.comparison.baselines.spade\n"
        "from afrd.comparison.methods import METHODS\n"
        "from afrd.errors import MissingExtraError\n"
        "for method in METHODS.values():\n"
        "    if method.extra == 'baselines':\n"
        "        try: method.load()\n"
        "        except MissingExtraError as error: print(method.name, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    told = done.stdout.splitlines()
    assert len(told) == len([m for m in METHODS.values() if m.extra == "baselines"]) == 10
    assert all(line.endswith(" is not installed: pip install 'afrd[baselines]'") for line in told)


def test_every_registered_baseline_can_be_loaded():
    baselines = [method for method in METHODS.values() if method.function.startswith("baselines.")]
    assert {method.load() for method in baselines} >= {*FITTED, *TRAINED}
    assert {method.load() for method in baselines if not method.has_map} == set(WITHOUT_MAP)

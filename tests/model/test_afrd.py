import numpy as np
import pytest
import torch

from afrd.errors import ModelError
from afrd.model import AFRD
from afrd.model.loss import position_loss


def parameters(module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_parameter_counts_of_reverse_distillation():
    """Those of the public RD code with WRN50-2, without its layers that are declared and never called."""
    with pytest.warns(UserWarning, match="random weights"):
        model = AFRD(teacher="wide_resnet50_2", teacher_weights="random", lights=2, image_size=64)
    assert parameters(model.student) == 24_917_504
    assert parameters(model.bottleneck) == 58_885_120
    out = model.eval()(torch.rand(1, 2, 3, 64, 64))
    assert out.anomaly_map.shape == (1, 64, 64)


@pytest.mark.parametrize("fusion", ["single:1", "mean", "paper-attention", "attention"])
@pytest.mark.parametrize(("lights", "size"), [(2, 64), (5, 96)])
def test_shapes(teacher, fusion, lights, size):
    model = AFRD(teacher, lights=lights, image_size=size, fusion=fusion).eval()
    out = model(torch.rand(2, lights, 3, 80, 120))
    assert out.anomaly_map.shape == (2, size, size)
    assert out.score.shape == (2,)
    assert out.light_weights.shape == (2, 3, lights)
    levels = model.extract(torch.rand(2, lights, 3, 80, 120))
    target, student, _ = model.distil(levels)
    assert [t.shape for t in target] == [s.shape for s in student]


def test_the_student_can_reproduce_signed_features(teacher):
    model = AFRD(teacher, lights=2, image_size=64)
    levels = model.reconstruct([torch.randn(4, x.channels, 64 // x.stride, 64 // x.stride) for x in teacher.levels])
    assert all((level < 0).float().mean() > 0.1 for level in levels)


def test_integers_and_floats_are_the_same_image(teacher):
    model = AFRD(teacher, lights=2, image_size=64).eval()
    images = np.random.default_rng(0).integers(0, 256, (1, 2, 3, 64, 64), dtype=np.uint8)
    as_uint8 = model(torch.from_numpy(images))
    as_uint16 = model(torch.from_numpy(images.astype(np.uint16) * 257))
    as_float = model(torch.from_numpy(images / np.float32(255)))
    torch.testing.assert_close(as_uint8.anomaly_map, as_float.anomaly_map, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(as_uint16.anomaly_map, as_float.anomaly_map, rtol=1e-4, atol=1e-4)


def test_gradients_reach_fusion_bottleneck_and_student_and_not_the_teacher(teacher):
    model = AFRD(teacher, lights=3, image_size=64).train()
    target, student, _ = model.distil(model.extract(torch.rand(2, 3, 3, 64, 64)))
    position_loss(target, student).backward()
    for name, parameter in model.named_parameters():
        if name.startswith("teacher."):
            assert parameter.grad is None
        else:
            assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name
    assert any(fc.weight.grad.abs().max() > 0 for fc in model.fusion.fc)


def test_single_light_ignores_the_others(teacher):
    model = AFRD(teacher, lights=3, image_size=64, fusion="single:1").eval()
    images = torch.rand(1, 3, 3, 64, 64)
    changed = images.clone()
    changed[:, [0, 2]] = 0
    assert torch.equal(model(images).anomaly_map, model(changed).anomaly_map)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"lights": 0}, "0 lights: expected 1 to 16"),
        ({"lights": 17}, "17 lights"),
        ({"image_size": 250}, "250: expected a multiple of 32.*256"),
        ({"image_size": 32}, "32: expected a multiple of 32 from 64"),
        ({"fusion": "median"}, "'median': unknown"),
    ],
)
def test_impossible_models(teacher, arguments, says):
    with pytest.raises(ModelError, match=says):
        AFRD(teacher, **arguments)


@pytest.mark.parametrize("shape", [(1, 5, 3, 64, 64), (1, 6, 2, 64, 64), (6, 3, 64, 64)])
def test_captures_of_another_shape(teacher, shape):
    with pytest.raises(ModelError, match=r"expected \[B, 6, 3, H, W\]"):
        AFRD(teacher, image_size=64)(torch.rand(*shape))

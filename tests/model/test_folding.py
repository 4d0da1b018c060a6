"""Folding batch norms: the same answers, nothing left that could be folded, and only true pairs."""

import pytest
import torch
from timm.layers import BatchNormAct2d
from torch import nn

from afrd.families import TrainConfig, build_model
from afrd.model.folding import _fold, fold_batch_norms, reading

IMAGES = torch.randint(0, 256, (2, 3, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def with_statistics(model):
    """Statistics, scales and shifts as after a long training, so that a norm left out or applied twice shows."""
    generator = torch.Generator().manual_seed(1)
    for norm in (m for m in model.modules() if isinstance(m, nn.BatchNorm2d)):
        for tensor, low, high in (
            (norm.running_mean, -0.3, 0.3),
            (norm.running_var, 0.5, 2.0),
            (norm.weight, 0.7, 1.3),
            (norm.bias, -0.2, 0.2),
        ):
            tensor.data.uniform_(low, high, generator=generator)
    return model.eval()


def norms(model) -> int:
    return sum(isinstance(m, nn.BatchNorm2d) for m in model.modules())


def test_captures_are_read_by_a_folded_copy_and_the_teacher_stays():
    model = with_statistics(build_model(TrainConfig(fusion="mean", image_size=64), 3))
    digest, count = model.teacher.digest(), norms(model)
    reader = reading(model)
    with torch.inference_mode():
        for a, b in zip(model.extract(IMAGES), reader.extract(IMAGES), strict=True):
            assert 0 < (a - b).abs().max() <= 1e-5 * (a.max() - a.min())
    assert norms(reader.teacher) == 0 and norms(model) == count and model.teacher.digest() == digest
    assert reading(model).teacher is reader.teacher, "folded once"
    assert reader.bottleneck is model.bottleneck, "all else is the model's own"


@pytest.mark.filterwarnings("ignore:teacher .*random weights")
@pytest.mark.parametrize(
    ("teacher", "fusion"),
    [
        ("efficientnet_lite0", "attention"),
        ("wide_resnet50_2", "mean"),
        ("resnet18", "mean"),
        ("efficientnet_lite0", "joint"),
        ("densenet121", "mean"),
    ],
)
def test_a_folded_model_answers_as_before(teacher, fusion):
    model = with_statistics(
        build_model(TrainConfig(fusion=fusion, teacher=teacher, teacher_weights="random", image_size=64), 3)
    )
    if fusion == "joint":
        darker = IMAGES // 2  # of captures that it was fitted to, so few, the map is the same everywhere
        model.fit(lambda: (model.extract(image[None]) for image in darker))
    with torch.inference_mode():
        before, levels = model(IMAGES), model.extract(IMAGES)
        count = norms(model)
        fold_batch_norms(model)
        after, folded = model(IMAGES), model.extract(IMAGES)
    for a, b in zip((before.anomaly_map, *levels), (after.anomaly_map, *folded), strict=True):
        assert (a - b).abs().max() <= 1e-5 * (a.max() - a.min())
    assert torch.allclose(before.score, after.score, rtol=1e-5)
    # a densely connected network normalises what it has concatenated: those norms have no convolution of their own
    assert 0 < norms(model) < count if teacher == "densenet121" else norms(model) == 0


@pytest.mark.filterwarnings("ignore:teacher .*random weights")
def test_convolutions_stay_channels_last():
    model = fold_batch_norms(build_model(TrainConfig(fusion="mean", teacher_weights="random", image_size=64), 3))
    spatial = [m.weight for m in model.modules() if isinstance(m, nn.Conv2d) and m.kernel_size > (1, 1)]
    assert all(w.is_contiguous(memory_format=torch.channels_last) for w in spatial)


class Block(nn.Module):
    """A convolution and a batch norm, put together in ways that only sometimes make a pair."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)
        self.way = way
        if way == "grouped":
            self.conv = nn.ConvTranspose2d(3, 3, 2, 2, groups=3)
        if way == "activated":
            self.norm = BatchNormAct2d(3)
        if way == "unknown kind":
            self.norm = type("Doubled", (nn.BatchNorm2d,), {"forward": lambda s, x: 2 * nn.BatchNorm2d.forward(s, x)})(
                3
            )
        if way == "without statistics":
            self.norm = nn.BatchNorm2d(3, track_running_stats=False)

    def forward(self, x):
        y = self.conv(x)
        if self.way == "used twice":
            return [self.norm(y) + y]
        if self.way == "returned":
            return [self.norm(y), y]
        if self.way == "shared norm":
            return [self.norm(self.norm(y))]
        if self.way == "shared convolution":
            return [self.norm(y), self.conv(x + 1)]
        return [self.norm(y)]


@pytest.mark.parametrize(
    ("way", "left"),
    [
        ("plain", 0),
        ("activated", 0),
        ("grouped", 1),
        ("unknown kind", 1),
        ("without statistics", 1),
        ("used twice", 1),
        ("returned", 1),
        ("shared norm", 1),
        ("shared convolution", 1),
    ],
)
def test_only_true_pairs_are_folded(way, left):
    torch.manual_seed(0)
    block = Block(way).eval()
    if way != "without statistics":
        with_statistics(block)
    x = torch.randn(2, 3, 8, 8)
    with torch.no_grad():
        before = block(x)
        _fold(block, lambda: block(x))
        after = block(x)
    assert norms(block) == left
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(before, after, strict=True))

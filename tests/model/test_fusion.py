import numpy as np
import pytest
import torch

from afrd.errors import ModelError
from afrd.model.fusion import FUSIONS, build_fusion
from afrd.model.loss import position_loss
from afrd.model.teacher import Level

LEVELS = (Level(3, 4, True), Level(5, 8, True), Level(7, 16, True))
SIZE, LIGHTS = 64, 4


def features(batch: int = 2, seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(batch, LIGHTS, x.channels, SIZE // x.stride, SIZE // x.stride, generator=generator) for x in LEVELS
    ]


def build(name: str):
    return build_fusion(name, LIGHTS, LEVELS, SIZE)


@pytest.mark.parametrize("name", ["mean", "paper-attention", "attention"])
def test_weights_are_a_share_of_each_light_and_the_fusion_is_their_sum(name):
    fused, weights = build(name)(features())
    assert weights.shape == (2, 3, LIGHTS)
    np.testing.assert_allclose(weights.detach().sum(-1), 1, atol=1e-6)
    for i, (level, out) in enumerate(zip(features(), fused, strict=True)):
        expected = (weights[:, i].detach().numpy()[:, :, None, None, None] * level.numpy()).sum(1)  # eq. 7
        np.testing.assert_allclose(out.detach(), expected, atol=1e-5)


def test_mean_is_numpys_mean():
    fused, weights = build("mean")(features())
    assert torch.all(weights == 1 / LIGHTS)
    for level, out in zip(features(), fused, strict=True):
        np.testing.assert_allclose(out, level.numpy().mean(1), atol=1e-6)


def test_single_light_reads_no_other():
    fusion = build("single:2")
    assert fusion.lights_used == (2,)
    fused, weights = fusion([level[:, 2:3] for level in features()])
    for level, out in zip(features(), fused, strict=True):
        assert torch.equal(out, level[:, 2])
    assert weights[0].tolist() == [[0, 0, 1, 0]] * 3


def test_paper_attention_is_equation_6_by_hand():
    """Two lights, two values each: logits W·[1, 2, 3, 5] + b = [1, -0.5], softmax [0.8176, 0.1824]."""
    fusion = build_fusion("paper-attention", 2, (Level(2, 4, True),), 4)
    with torch.no_grad():
        fusion.fc[0].weight.copy_(torch.tensor([[1.0, 0, -1, 0.5], [0, 1, 0, -0.5]]))
        fusion.fc[0].bias.copy_(torch.tensor([0.5, 0.0]))
    (fused,), weights = fusion([torch.tensor([[1.0, 2], [3, 5]]).view(1, 2, 2, 1, 1)])
    np.testing.assert_allclose(weights[0, 0].detach(), [0.8175745, 0.1824255], atol=1e-6)
    np.testing.assert_allclose(fused.detach().flatten(), [1 + 2 * 0.1824255, 2 + 3 * 0.1824255], atol=1e-6)


def test_attention_starts_as_the_mean_and_depends_on_the_set_once_trained():
    fusion = build("attention")
    np.testing.assert_allclose(fusion(features())[1].detach(), 1 / LIGHTS, atol=1e-6)
    for fc in fusion.fc:
        torch.nn.init.normal_(fc.weight)
    one, other = (fusion(features(seed=s))[1] for s in (0, 1))
    assert (one - other).abs().max() > 1e-3
    scaled = fusion([level * 100 for level in features()])[1]
    np.testing.assert_allclose(scaled.detach(), one.detach(), atol=2e-3)  # a brighter lamp is not a better one


def train(name: str, steps: int = 30) -> torch.Tensor:
    """Largest weight per level after some steps on lights that differ in how easily they are reproduced."""
    torch.manual_seed(0)
    levels = [level * 10 for level in features(batch=8)]
    fusion = build(name)
    students = torch.nn.ModuleList(torch.nn.Conv2d(x.channels, x.channels, 1) for x in LEVELS)
    optimizer = torch.optim.AdamW([*fusion.parameters(), *students.parameters()], lr=4e-4)
    for _ in range(steps):
        target, weights = fusion(levels)
        loss = position_loss(target, [s(t) for s, t in zip(students, target, strict=True)])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return weights.detach().amax(-1).mean(0)


def test_attention_does_not_collapse_where_the_printed_form_does():
    assert train("paper-attention").max() > 0.9
    assert train("attention").max() < 0.4


@pytest.mark.parametrize(
    ("name", "says"),
    [("max", "choose one of"), ("single:4", "0 to 3"), ("single:x", "single:0 to single:3"), ("", "''")],
)
def test_unknown_fusions(name, says):
    with pytest.raises(ModelError, match=says):
        build(name)


def test_registered_names_are_those_on_the_command_line():
    assert FUSIONS == ("single:K", "mean", "paper-attention", "attention")

"""Models are fitted on CUDA and MPS as on the processor, whether features are stored or made anew."""

from types import SimpleNamespace

import pytest
import torch

from afrd.datasets import open_dataset
from afrd.families import Job, TrainConfig, build_model, family_of
from afrd.model.moments import Moments
from afrd.training.features import cache_features
from pretend_device import PretendDevice

CONFIGS = {
    "joint": TrainConfig(
        fusion="joint",
        image_size=64,
        painting={"captures": 2, "pairs": 2},
        disturbing={"captures": 2, "copies": 1},
    ),
    "nearest": TrainConfig(fusion="nearest", image_size=64, patches={"bank": 16, "places": 1000}),
}


def fitted(tiny, out, device: str, fusion: str, stored: bool):
    config = CONFIGS[fusion]
    good, held_out = (open_dataset(tiny, "Confetto", split).subset(range(3)) for split in ("train", "val"))
    model = build_model(config, 6)
    for captures in (good, held_out) if stored else ():
        cache_features(model, captures, where="disk", budget_gb=1, folder=out, data_digest=captures.digest())
    job = Job(SimpleNamespace(device=torch.device(device)), config, out, out, good.digest(), held_out.digest())
    return family_of(fusion).fit(model, good, held_out, job)


@pytest.mark.parametrize(
    ("fusion", "stored"),
    [*(pytest.param("joint", stored, marks=pytest.mark.slow) for stored in (True, False)), ("nearest", False)],
)
@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_a_model_is_fitted_on_a_device(tiny, tmp_path, kind, fusion, stored):
    expected = fitted(tiny, tmp_path / "cpu", "cpu", fusion, stored)
    with PretendDevice(kind):
        there = fitted(tiny, tmp_path / kind, kind, fusion, stored)
    assert there.scores == pytest.approx(expected.scores, rel=1e-4)
    assert all(a == pytest.approx(b, rel=1e-4) for a, b in zip(there.without, expected.without, strict=True))


def test_moments_are_summed_where_there_is_no_double_precision():
    vectors = torch.randn(50, 4, generator=torch.Generator().manual_seed(0)) + 100
    with PretendDevice("mps"):
        moments = Moments(4).add(vectors[:20].to("mps")).add(vectors[20:].to("mps"))
    torch.testing.assert_close(moments.covariance(), vectors.double().T.cov(), rtol=1e-5, atol=1e-6)


def test_the_pretended_device_refuses_what_a_real_one_refuses():
    with PretendDevice("mps"):
        there = torch.ones(3).to("mps")
        assert there.device.type == "mps" and (there + there).device.type == "mps"
        assert there.cpu().double().device.type == "cpu"
        with pytest.raises(RuntimeError, match="same device"):
            there + torch.ones(3)
        with pytest.raises(TypeError, match="float64"):
            there.double()
        with pytest.raises(TypeError, match="numpy"):
            there.numpy()

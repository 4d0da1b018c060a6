import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from afrd.errors import ModelError
from afrd.model.anomaly_map import AnomalyMap, score
from afrd.model.loss import flat_loss, get_loss, position_loss

# two positions, two channels: at the first the vectors are (3, 4) and (4, 3), cosine 0.96; at the second equal
TARGET = torch.tensor([[3.0, 4.0], [1.0, 1.0]]).T.reshape(1, 2, 1, 2)
STUDENT = torch.tensor([[4.0, 3.0], [1.0, 1.0]]).T.reshape(1, 2, 1, 2)


def test_equation_5_by_hand():
    assert position_loss([TARGET], [STUDENT]).item() == pytest.approx((0.04 + 0) / 2, abs=1e-6)
    assert position_loss([TARGET] * 3, [STUDENT] * 3).item() == pytest.approx(0.06, abs=1e-6)


def test_flat_loss_by_hand():
    """(12 + 12 + 1 + 1) / (√27 · √27) = 26 / 27."""
    assert flat_loss([TARGET], [STUDENT]).item() == pytest.approx(1 / 27, abs=1e-6)


def test_unknown_loss():
    with pytest.raises(ModelError, match=r"'l2'.*position, flat"):
        get_loss("l2")


@pytest.mark.parametrize("size", [64, 256])
def test_smoothing_is_scipys_gaussian(size):
    noise = np.random.default_rng(0).random((size, size), dtype=np.float32)
    expected = gaussian_filter(noise, 4 * size / 256, mode="mirror")
    smooth = AnomalyMap(size).smooth(torch.from_numpy(noise)[None, None])[0, 0]
    np.testing.assert_allclose(smooth, expected, atol=1e-5)


def test_map_is_the_sum_of_levels_where_they_differ():
    """The student is right on the left half and opposite on the right: distance 0 and 2 at each of two levels."""
    target = [torch.ones(1, 3, 16, 16), torch.ones(1, 5, 8, 8)]
    student = [t.clone() for t in target]
    for s in student:
        s[..., s.shape[-1] // 2 :] *= -1
    anomaly_map = AnomalyMap(64)(target, student)
    assert anomaly_map.shape == (1, 64, 64)
    np.testing.assert_allclose(anomaly_map[0, :, 8], 0, atol=1e-5)
    np.testing.assert_allclose(anomaly_map[0, :, -8], 4, atol=1e-5)


def test_score_by_hand():
    maps = torch.arange(1000.0).view(1, 20, 50).repeat(2, 1, 1)
    maps[1] *= 2
    assert score(maps).tolist() == [999, 1998]
    assert score(maps, top_share=0.004).tolist() == [997.5, 1995]
    assert score(maps, top_share=1).tolist() == [499.5, 999]
    with pytest.raises(ModelError, match="top share 2"):
        score(maps, top_share=2)

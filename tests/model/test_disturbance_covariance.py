"""What disturbances change counts less in the joint Gaussian: their covariance is added, in closed form."""

import numpy as np
import pytest
import torch

from afrd.families.joint import Gaussian
from afrd.model import JointGaussian

LIGHTS, SIZE, CAPTURES = 2, 64, 20


@pytest.fixture(scope="module")
def levels(teacher):
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(CAPTURES, LIGHTS, level.channels, SIZE // level.stride, SIZE // level.stride, generator=generator)
        for level in teacher.levels
    ]


def fitted(teacher, levels, share: float) -> JointGaussian:
    """Copies are brighter in one channel of the coarsest level of the second light, each by another step."""
    model = JointGaussian(teacher, lights=LIGHTS, image_size=SIZE, settings=Gaussian(disturbance=share)).eval()

    def each():
        return ([level[i : i + 1] for level in levels] for i in range(CAPTURES))

    def disturbed():
        for number, before in enumerate(each()):
            after = [level.clone() for level in before]
            after[-1][:, 1, 3] += 1.0 + number
            yield before, after

    with torch.inference_mode():
        model.fit(each, disturbed=disturbed())
    return model


def test_their_covariance_is_added_and_their_direction_counts_less(teacher, levels):
    plain, knowing = (fitted(teacher, levels, share) for share in (0, 0.03))
    at = plain.channels + sum(plain.widths[:-1]) + 3  # the second light's, in the coarsest level
    expected = np.mean([(1.0 + number) ** 2 for number in range(CAPTURES)])
    assert float(knowing.disturbed[at, at]) == pytest.approx(expected, rel=1e-4)
    assert float(knowing.disturbed.abs().sum()) == pytest.approx(expected, rel=1e-4)  # nothing else changed
    added = knowing.covariance.diagonal() - plain.covariance.diagonal()
    assert float(added[at]) == pytest.approx(0.03 * expected, rel=0.02)  # and what shrinking makes of it
    assert float(added.abs().sum() - added[at].abs()) < 0.2 * float(added[at])
    offset = torch.zeros(1, len(plain.mean), 1, 1)
    offset[:, at] = 10
    distances = [float(model._log_distance(offset, model.distance)) for model in (plain, knowing)]
    assert distances[1] < distances[0]

import numpy as np
import pytest
import torch

from afrd.errors import ModelError
from afrd.families.joint import Gaussian
from afrd.model import JointGaussian
from afrd.model.defect_space import DefectSpace

LIGHTS, SIZE, GRID = 2, 64, 8
STRENGTH, DIRECTIONS = Gaussian().strength, Gaussian().directions


def describe(levels) -> torch.Tensor:
    """Vectors that are handed in as one level of one light: [B, 1, D, 8, 8] → [B, D, 8, 8]."""
    return levels[0].flatten(1, 2)


@pytest.fixture(scope="module")
def whitening():
    return torch.linalg.qr(torch.randn(12, 12, generator=torch.Generator().manual_seed(1)))[0] * torch.linspace(
        1, 3, 12
    )


@pytest.fixture(scope="module")
def pairs():
    """Defects in two of twelve directions, on the left half of the picture; noise on the other, which is no defect."""
    generator = torch.Generator().manual_seed(0)
    cover = torch.zeros(1, SIZE, SIZE)
    cover[:, :, : SIZE // 2] = 1
    found = []
    for _ in range(5):
        good = torch.randn(1, 1, 12, GRID, GRID, generator=generator)
        change = torch.randn(1, 1, 12, GRID, GRID, generator=generator)
        change[:, :, 2:, :, : GRID // 2] = 0
        found.append(([good], [good + change], cover))
    return found


def changes(pairs) -> np.ndarray:
    both = [(bad[0] - good[0])[0, 0, :, :, : GRID // 2].flatten(1).T for good, bad, _ in pairs]
    return torch.cat(both).double().numpy()


def test_the_covariance_is_of_what_changes_where_defects_are(pairs, whitening):
    space = DefectSpace(12)
    space.learn(pairs, describe, whitening)
    d = changes(pairs)
    weight = 1 / (1 + ((d @ whitening.numpy().T) ** 2).mean(1))
    np.testing.assert_allclose(space.covariance, (d * weight[:, None]).T @ d / len(d), rtol=1e-4, atol=1e-6)
    assert space.covariance[:2, :2].det() > 0 and not space.covariance[2:].any()


@pytest.mark.parametrize("columns", [range(12), [0, 1, 4, 5, 9]])
def test_the_distance_is_the_likelihood_ratio_of_good_and_good_plus_defect(pairs, columns):
    """x ᵀ (Σ⁻¹ − (Σ + a S)⁻¹) x, by its definition, but for its scale."""
    rng = np.random.default_rng(0)
    columns = np.array(columns)
    root = rng.standard_normal((12, 12))
    sigma = (root @ root.T + np.eye(12))[np.ix_(columns, columns)]
    whitening = torch.linalg.inv(torch.linalg.cholesky(torch.from_numpy(sigma)))
    space = DefectSpace(12)
    space.learn(pairs, describe, torch.eye(12))
    distance = space.weigh(whitening, torch.from_numpy(columns)).numpy()
    s = space.covariance.double().numpy()[np.ix_(columns, columns)]
    a = STRENGTH * len(columns) / np.trace(np.linalg.solve(sigma, s))
    ratio = np.linalg.inv(sigma) - np.linalg.inv(sigma + a * s)
    x = rng.standard_normal((50, len(columns)))
    wanted, found = np.einsum("pi,ij,pj->p", x, ratio, x), ((x @ distance.T) ** 2).sum(1)
    np.testing.assert_allclose(found / found.mean(), wanted / wanted.mean(), rtol=1e-4)  # in single precision
    good = rng.standard_normal((20_000, len(columns))) @ np.linalg.cholesky(sigma).T
    assert ((good @ distance.T) ** 2).sum(1).mean() == pytest.approx(1, abs=0.05)


def test_without_defects_it_is_the_mahalanobis_distance():
    whitening, x = torch.randn(12, 12), torch.randn(7, 12)
    distance = DefectSpace(12).weigh(whitening, torch.arange(12))
    torch.testing.assert_close((x @ distance.T).square().sum(1), (x @ whitening.T).square().mean(1))


def test_defects_that_cover_nothing_are_named(pairs, whitening):
    with pytest.raises(ModelError, match="cover no place"):
        DefectSpace(12).learn([(good, bad, cover * 0.4) for good, bad, cover in pairs], describe, whitening)


def test_no_more_directions_than_are_kept():
    space = DefectSpace(DIRECTIONS + 50)
    space.covariance.copy_(torch.eye(DIRECTIONS + 50))
    kept = space.weigh(torch.eye(DIRECTIONS + 50, dtype=torch.float64), torch.arange(DIRECTIONS + 50))
    assert kept.shape == (DIRECTIONS, DIRECTIONS + 50)


def test_a_change_along_defects_counts_more_than_an_equal_one_across(teacher):
    """The same noise is taught as a defect of the first light only: then that light is what is looked at."""
    generator = torch.Generator().manual_seed(0)
    sides = [(level.channels, SIZE // level.stride) for level in teacher.levels]

    def draw(batch):
        return [torch.randn(batch, LIGHTS, c, s, s, generator=generator) for c, s in sides]

    good = draw(30)
    cover = torch.ones(1, SIZE, SIZE)

    def pairs():
        for i in range(20):
            plain, bad = [level[i : i + 1] for level in good], [level[i : i + 1].clone() for level in good]
            for level, noise in zip(bad, draw(1), strict=True):
                level[:, 0] += noise[:, 0]
            yield plain, bad, cover

    model, plain_model = (JointGaussian(teacher, lights=LIGHTS, image_size=SIZE).eval() for _ in range(2))
    seen = [level[:4] for level in good]
    odd = [[level.clone() for level in seen] for _ in range(2)]
    for k in range(2):
        for level, noise in zip(odd[k], draw(4), strict=True):
            level[:, k, :, : level.shape[-1] // 2] += noise[:, k, :, : level.shape[-1] // 2]
    with torch.inference_mode():
        model.fit(lambda: ([level[i : i + 1] for level in good] for i in range(30)), pairs())
        plain_model.fit(lambda: ([level[i : i + 1] for level in good] for i in range(30)))
        first, second = (model.judge(levels).score.mean() for levels in odd)
        plain_first, plain_second = (plain_model.judge(levels).score.mean() for levels in odd)
    assert first > 1.3 * second
    assert plain_first < 1.3 * plain_second

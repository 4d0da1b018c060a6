"""What the baselines compute, against other implementations of the same formulas."""

import numpy as np
import pytest
import torch
from anomalib.models.components import KCenterGreedy
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import mahalanobis
from skimage.metrics import structural_similarity
from sklearn.neighbors import NearestNeighbors
from torch.nn.functional import avg_pool2d, interpolate
from torchmetrics.functional.image import structural_similarity_index_measure

from afrd.comparison.baselines import anomalib_models, backbone, coreset, spade
from afrd.comparison.baselines.coreset import LazyKCenterGreedy
from afrd.comparison.baselines.ssim import similarity
from afrd.comparison.job import Settings
from captures import make_capture

SIZE = 64
SETTINGS = Settings(image_size=SIZE)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """12 good ones and one with a defect."""
    rng = np.random.default_rng(1)
    return np.stack([make_capture(rng, 2, SIZE, defect=i == 12)[0][0] for i in range(13)])


@pytest.fixture(scope="module")
def levels(images, teacher) -> list[torch.Tensor]:
    """Our teacher's, [13, C, h, w] each."""
    return [level[:, 0] for level in teacher(torch.from_numpy(images)[:, None].float() / 255)]


def test_padim_is_the_mahalanobis_distance(images, levels):
    result = anomalib_models.padim(images[:12], images[:1], images[12:], SETTINGS, 5)
    from lightning_fabric.utilities.seed import seed_everything

    seed_everything(5, verbose=False)
    chosen = anomalib_models._padim_model(backbone.load(SETTINGS)[0], SETTINGS).idx
    assert len(set(chosen.tolist())) == 100
    enlarged = torch.cat([interpolate(level, (16, 16), mode="nearest") for level in levels], 1)
    features = enlarged[:, chosen].flatten(2).double().numpy()  # [13, 100, 256]
    distances = np.empty(256)
    for pixel in range(256):
        good = features[:12, :, pixel]
        inverse = np.linalg.inv(np.cov(good, rowvar=False) + (0.01 + 1e-5) * np.eye(100))
        distances[pixel] = mahalanobis(features[12, :, pixel], good.mean(0), inverse)
    expected = interpolate(torch.from_numpy(distances).view(1, 1, 16, 16), (SIZE, SIZE), mode="bilinear")[0, 0].numpy()
    expected = gaussian_filter(expected, 4, mode="mirror")
    np.testing.assert_allclose(result.maps[0], expected, rtol=5e-3)
    np.testing.assert_allclose(result.scores[0], expected.max(), rtol=5e-3)


def test_patchcore_is_the_distance_to_the_nearest_of_its_bank(images, levels):
    result = anomalib_models.patchcore(images[:12], images[:1], images[12:], SETTINGS, 5)
    from lightning_fabric.utilities.seed import seed_everything

    seed_everything(5, verbose=False)
    bank = anomalib_models._fitted_patchcore(*backbone.load(SETTINGS), images[:12]).memory_bank.numpy()
    pooled = [avg_pool2d(level, 3, 1, 1) for level in levels[1:]]
    patches = torch.cat([pooled[0], interpolate(pooled[1], (8, 8), mode="bilinear")], 1).permute(0, 2, 3, 1).numpy()
    good = patches[:12].reshape(-1, patches.shape[-1])
    assert len(bank) == len(good) // 10
    from_bank_to_good = NearestNeighbors(n_neighbors=1).fit(good).kneighbors(bank)[0]
    assert from_bank_to_good.max() < 1e-2  # the bank is made of training patches
    distances = NearestNeighbors(n_neighbors=1).fit(bank).kneighbors(patches[12].reshape(64, -1))[0].reshape(8, 8)
    expected = gaussian_filter(distances.repeat(8, 0).repeat(8, 1), 4, mode="mirror")
    np.testing.assert_allclose(result.maps[0], expected, rtol=5e-3)


@pytest.mark.parametrize(("count", "shortlist"), [(300, 1024), (3000, 32), (3000, 1024)])
def test_the_lazy_coreset_is_the_greedy_one(count, shortlist, monkeypatch):
    monkeypatch.setattr(coreset, "SHORTLIST", shortlist)
    points = torch.randn(count, 24, generator=torch.Generator().manual_seed(0))
    chosen = []
    for sampler in (KCenterGreedy, LazyKCenterGreedy):
        torch.manual_seed(7)
        np.random.seed(7)  # noqa: NPY002 (scikit-learn's global generator draws anomalib's projection)
        chosen.append(sampler(points, 0.1).select_coreset_idxs())
    assert chosen[0] == chosen[1]
    assert len(set(chosen[0])) == count // 10


def test_the_lazy_coreset_stands_identical_points():
    points = torch.randn(40, 24, generator=torch.Generator().manual_seed(0)).repeat(50, 1)
    chosen = LazyKCenterGreedy(points, 0.02).select_coreset_idxs()
    assert len({index % 40 for index in chosen}) == 40  # all distinct points before any twice


def test_spade_is_the_distance_to_the_nearest_pixel_of_the_neighbours():
    rng = torch.Generator().manual_seed(0)
    pixels, neighbours = torch.randn(6, 9, 7, generator=rng), torch.randn(5, 6, 9, 7, generator=rng)
    keys = neighbours.permute(0, 2, 3, 1).reshape(-1, 6).numpy()
    queries = pixels.permute(1, 2, 0).reshape(-1, 6).numpy()
    expected = NearestNeighbors(n_neighbors=1).fit(keys).kneighbors(queries)[0].reshape(9, 7)
    np.testing.assert_allclose(spade._pixel_map(pixels, neighbours).numpy(), expected, rtol=1e-4)


def test_spade_scores_are_the_mean_squared_distance_of_the_pooled_features(images):
    result = spade.spade(images[:12], images[:1], images[12:], SETTINGS, 0)
    model, normalisation = backbone.load(SETTINGS)
    model.reset_classifier(0)
    with torch.no_grad():
        pooled = model(backbone.normalised(images, normalisation)).numpy()
    distances = NearestNeighbors(n_neighbors=5).fit(pooled[:12]).kneighbors(pooled[12:])[0]
    np.testing.assert_allclose(result.scores, (distances**2).mean(1), rtol=1e-3)


def test_spade_is_the_same_when_pixels_of_neighbours_are_not_kept(images, monkeypatch):
    kept = spade.spade(images[:12], images[:1], images[10:], SETTINGS, 0)
    monkeypatch.setattr(spade, "GALLERY", 1)
    again = spade.spade(images[:12], images[:1], images[10:], SETTINGS, 0)
    np.testing.assert_array_equal(kept.maps, again.maps)


def test_similarity_is_ssim():
    rng = torch.Generator().manual_seed(0)
    a = torch.rand(2, 3, 64, 48, generator=rng)
    b = (a + 0.1 * torch.randn(a.shape, generator=rng)).clamp(0, 1)
    actual = similarity(a, b)
    _, expected = structural_similarity_index_measure(a, b, data_range=1.0, return_full_image=True)
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-4)
    _, other = structural_similarity(
        a[0].numpy(),
        b[0].numpy(),
        channel_axis=0,
        data_range=1.0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    np.testing.assert_allclose(actual[0].numpy()[:, 8:-8, 8:-8], other[:, 8:-8, 8:-8], atol=1e-4)


def test_similarity_of_an_image_with_itself_is_one_and_has_a_gradient():
    a = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(similarity(a, a), torch.ones_like(a))
    b = torch.rand(1, 3, 32, 32, requires_grad=True)
    similarity(a, b).mean().backward()
    assert torch.isfinite(b.grad).all()
    assert b.grad.abs().sum() > 0

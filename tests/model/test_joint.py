import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d, interpolate

from afrd.errors import ModelError
from afrd.families import TrainConfig
from afrd.families.joint import Gaussian
from afrd.model import JointGaussian
from afrd.model.marginal import marginal
from afrd.model.moments import Moments

LIGHTS, SIZE, GRID = 3, 64, 8


@pytest.fixture(scope="module")
def levels(teacher):
    """Levels of 40 captures: lights that have most in common, as lights of one part have."""
    generator = torch.Generator().manual_seed(0)

    def level(channels: int, side: int) -> torch.Tensor:
        common = torch.randn(40, 1, channels, side, side, generator=generator)
        return common + 0.3 * torch.randn(40, LIGHTS, channels, side, side, generator=generator)

    return [level(shape.channels, SIZE // shape.stride) for shape in teacher.levels]


@pytest.fixture(scope="module")
def model(teacher, levels):
    model = JointGaussian(teacher, lights=LIGHTS, image_size=SIZE).eval()
    with torch.inference_mode():
        model.fit(lambda: ([level[i : i + 1] for level in levels] for i in range(40)))
    return model


def vectors(levels) -> np.ndarray:
    """[B, N, D, 8, 8] by the definition: brought to stride 8, levels one after the other."""
    parts = []
    for level in levels:
        x = level.flatten(0, 1)
        if x.shape[-1] > GRID:
            x = avg_pool2d(x, x.shape[-1] // GRID)
        elif x.shape[-1] < GRID:
            x = interpolate(x, (GRID, GRID), mode="bilinear", align_corners=False)
        parts.append(x.unflatten(0, level.shape[:2]))
    return torch.cat(parts, 2).double().numpy()


def gaussian(levels) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and shrunk covariance by numpy, [N · D], and the deviations in which columns are compared."""
    x = vectors(levels)
    n, d = x.shape[1:3]
    x = x.transpose(0, 3, 4, 1, 2).reshape(-1, n * d)
    widths = [level.shape[2] for level in levels]
    energy = (x**2).mean(0).reshape(n, d)
    bounds = np.cumsum([0, *widths])
    unit = np.concatenate([np.full(w, energy[:, a : a + w].mean() * w) for a, w in zip(bounds, widths, strict=False)])
    unit = np.tile(unit, n)
    scaled = np.cov(x.T) / np.sqrt(np.outer(unit, unit))
    scaled += Gaussian().shrinkage * np.trace(scaled) / len(scaled) * np.eye(len(scaled))
    return x.mean(0), scaled * np.sqrt(np.outer(unit, unit)), np.sqrt(unit)


def surprise(x: np.ndarray, index: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """x: [places, N · D] offsets from the mean. Of the lights whose columns `index` are. [places]"""
    known = x[:, index]
    squares = np.einsum("pi,ij,pj->p", known, np.linalg.inv(covariance[np.ix_(index, index)]), known) / len(index)
    return 0.5 * np.log1p(squares**2)


def regression(model, train: np.ndarray, covariance: np.ndarray, unit: np.ndarray):
    """The surprise of good parts, by numpy: least squares over random features of the leading principal components.

    train: [places, N · D] offsets. Returns a function of such offsets, complete ones.
    """
    known = model.expectation
    values, vectors_ = np.linalg.eigh(covariance / np.outer(unit, unit))
    q = len(known.components)
    axes = (vectors_ / np.sqrt(values))[:, ::-1][:, :q] / unit[:, None]
    signs = np.sign((axes * known.components.numpy().T).sum(0))  # of an eigenvector, free

    def features(x):
        principal = np.clip(x @ axes * signs, -3, 3)
        hidden = np.maximum(principal @ known.hidden.double().numpy().T + known.bias.double().numpy(), 0)
        return np.concatenate([hidden, principal, np.ones((len(x), 1))], 1)

    seen = features(train)
    ridge = (1e-3 + 50 / len(seen)) * (seen**2).sum(0).mean()
    # ridge as rows of data that say 0; not for the constant, which comes last
    rows = np.concatenate([seen, np.sqrt(ridge) * np.eye(seen.shape[1])[:-1]])
    wanted = np.concatenate([surprise(train, np.arange(train.shape[1]), covariance), np.zeros(seen.shape[1] - 1)])
    weights = np.linalg.lstsq(rows, wanted, rcond=None)[0]
    return lambda x: features(x) @ weights


def expected_map(model, levels, odd, lights) -> np.ndarray:
    """What `judge` should give for the levels `odd` after a fit on `levels`."""
    mean, covariance, unit = gaussian(levels)
    d = len(mean) // LIGHTS

    def offsets(x):
        return vectors(x).transpose(0, 3, 4, 1, 2).reshape(-1, LIGHTS * d) - mean

    present = np.concatenate([np.arange(d) + k * d for k in lights])
    missing = np.setdiff1d(np.arange(LIGHTS * d), present)
    x = offsets(odd)
    complete = x.copy()  # what is missing as the Gaussian expects it
    slope = np.linalg.solve(covariance[np.ix_(present, present)], covariance[np.ix_(present, missing)])
    complete[:, missing] = x[:, present] @ slope
    usual = regression(model, offsets(levels), covariance, unit)(complete)
    unusual = np.clip(surprise(x, present, covariance) - usual + 0.35, 0, 6.0)
    grid = torch.from_numpy(unusual).float().view(-1, 1, GRID, GRID)
    return interpolate(grid, (SIZE, SIZE), mode="bilinear", align_corners=False)[:, 0].numpy()


@pytest.mark.parametrize("lights", [(0, 1, 2), (0, 2), (1,)])
def test_the_map_is_the_mahalanobis_distance_of_the_lights_used_less_what_good_parts_have_there(model, levels, lights):
    odd = [level[:2] + torch.randn(level[:2].shape, generator=torch.Generator().manual_seed(1)) for level in levels]
    with torch.inference_mode():
        answer = model.judge(odd, lights)
    np.testing.assert_allclose(answer.anomaly_map, expected_map(model, levels, odd, lights), rtol=2e-3)
    np.testing.assert_allclose(answer.score, answer.anomaly_map.flatten(1).amax(1))


def test_a_light_that_is_left_out_changes_nothing(model, levels):
    broken = [level[:1].clone() for level in levels]
    for level in broken:
        level[:, 1] = 1e3
    with torch.inference_mode():
        one, other = model.judge([level[:1] for level in levels], [0, 2]), model.judge(broken, [0, 2])
    assert torch.equal(one.anomaly_map, other.anomaly_map)
    assert one.light_weights.shape == (1, 1, LIGHTS)
    assert one.light_weights[0, 0, 1] == 0


def test_what_one_light_alone_shows_counts_more_than_what_all_show_and_is_named(model, levels):
    def with_spot(lights) -> list[torch.Tensor]:
        changed = [level[:1].clone() for level in levels]
        for level in changed:
            side = level.shape[-1]
            level[:, lights, :, side // 4 : side // 2, side // 2 : 3 * side // 4] += 1.0
        return changed

    with torch.inference_mode():
        everywhere = model.judge(with_spot([0, 1, 2]))
        for k in range(LIGHTS):
            alone = model.judge(with_spot([k]))
            assert alone.score > everywhere.score  # good lights always agree, so one that does not is stranger
            assert alone.light_weights[0, 0].argmax() == k
            y, x = divmod(int(alone.anomaly_map[0].argmax()), SIZE)
            assert SIZE // 4 <= y < SIZE // 2 <= x < 3 * SIZE // 4


def test_evidence_is_what_the_other_lights_do_not_explain(model, levels):
    mean, covariance, _ = gaussian(levels)
    odd = [level[:1] + torch.randn(level[:1].shape, generator=torch.Generator().manual_seed(2)) for level in levels]
    with torch.inference_mode():
        answer = model.judge(odd)
    y, x = divmod(int(answer.anomaly_map[0].argmax()), SIZE)
    v = vectors(odd)[0, :, :, y // 8, x // 8].reshape(-1) - mean
    d = len(v) // LIGHTS
    lights = [np.arange(k * d, (k + 1) * d) for k in range(LIGHTS)]
    unit = np.linalg.inv(sum(covariance[np.ix_(own, own)] for own in lights) / LIGHTS)
    found, usual = [], []
    for own in lights:
        rest = np.setdiff1d(np.arange(len(v)), own)
        slope = covariance[np.ix_(own, rest)] @ np.linalg.inv(covariance[np.ix_(rest, rest)])
        residual = v[own] - slope @ v[rest]
        found.append(residual @ unit @ residual / d)
        usual.append(np.trace(unit @ (covariance[np.ix_(own, own)] - slope @ covariance[np.ix_(rest, own)])) / d)
    excess = np.array(found) - max(usual)
    np.testing.assert_allclose(answer.light_weights[0, 0], excess / excess.sum(), rtol=1e-2)


def test_weights_are_noise_in_the_distance_and_count_in_the_evidence(model, levels):
    """Light 1 of weight 1/4: three times its own covariance added; of weight 0: left out."""
    mean, covariance, _ = gaussian(levels)
    odd = [level[:1] + torch.randn(level[:1].shape, generator=torch.Generator().manual_seed(3)) for level in levels]
    d = len(mean) // LIGHTS
    own = slice(d, 2 * d)
    noisy = covariance.copy()
    noisy[own, own] *= 4
    x = vectors(odd)[0].reshape(LIGHTS * d, -1).T - mean
    squares = np.einsum("pi,ij,pj->p", x, np.linalg.inv(noisy), x) / len(mean)
    try:
        with torch.inference_mode():
            even = model.judge(odd)
            without = model.judge(odd, [0, 2])
            assert model.trust((1.0, 0.25, 1.0))
            offsets = model.describe(odd) - model.offset[:, None, None]
            found = model._log_distance(offsets, model.distance).flatten()
            less = model.judge(odd)
            model.trust((1.0, 0.0, 1.0))
            none = model.judge(odd)
    finally:
        model.trust((1.0, 1.0, 1.0))
    np.testing.assert_allclose(found, 0.5 * np.log1p(squares**2), rtol=2e-3)
    assert less.light_weights[0, 0, 1] < even.light_weights[0, 0, 1]
    assert torch.equal(none.anomaly_map, without.anomaly_map)
    assert none.light_weights[0, 0, 1] == 0


def test_of_few_captures_the_expectation_learns_no_more_than_the_mean(teacher, levels):
    few = JointGaussian(teacher, lights=LIGHTS, image_size=SIZE).eval()
    seen, new = [level[:3] for level in levels], [level[3:20] for level in levels]
    with torch.inference_mode():
        few.fit(lambda: [seen])
        offsets = few.describe(new) - few.offset[:, None, None]
        expected = few.expectation(torch.einsum("qd,bdhw->bqhw", few.expectation.components, offsets))
        surprise = few._log_distance(offsets, few.distance)
    # interpolating its 192 places, 641 coefficients would say anything of new ones
    assert expected.std() < 0.2 * surprise.std()


def test_how_captures_are_batched_does_not_matter(teacher, levels, model):
    other = JointGaussian(teacher, lights=LIGHTS, image_size=SIZE)
    with torch.inference_mode():
        other.fit(lambda: ([level[i : i + 16] for level in levels] for i in range(0, 40, 16)))
    torch.testing.assert_close(other.mean, model.mean, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(other.covariance, model.covariance, rtol=1e-3, atol=1e-5)


def test_the_state_alone_gives_the_same_answer(teacher, levels, model):
    other = JointGaussian(teacher, lights=LIGHTS, image_size=SIZE).eval()
    other.load_state_dict(model.state_dict())
    with torch.inference_mode():
        one, two = (m.judge([level[:3] for level in levels]) for m in (model, other))
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


def test_many_lights_are_projected_and_the_projection_travels_with_the_state(teacher):
    least = JointGaussian(teacher, lights=16, image_size=SIZE, settings=Gaussian(channels=64))
    assert min(least.widths) == 1
    model = JointGaussian(teacher, lights=16, image_size=SIZE)
    assert model.channels == sum(model.widths) <= 2048 // 16 < sum(level.channels for level in teacher.levels)
    for i, width in enumerate(model.widths):
        projection = model.state_dict()[f"projection{i}"]
        torch.testing.assert_close(projection @ projection.T, torch.eye(width), atol=1e-5, rtol=0)


def test_the_model_of_others_is_the_one_that_was_fitted_to_them(teacher, levels, model):
    """Moments taken away are those of a fit from scratch; only what is expected rests on the components of all."""

    def read(which):
        return lambda: ([level[i : i + 1] for level in levels] for i in which)

    others, of_others = range(8, 40), Moments(LIGHTS * model.channels)
    scratch = JointGaussian(teacher, lights=LIGHTS, image_size=SIZE).eval()
    with torch.inference_mode():
        scratch.fit(read(others))
        seen = [model.describe(one) for one in read(others)()]
        for one in seen:
            of_others.add(one[0].flatten(1).T)
        before = model.state_dict()["mean"].clone()
        folded = model.of_others(of_others, seen)
        assert torch.equal(model.mean, before)
        torch.testing.assert_close(folded.mean, scratch.mean, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(folded.covariance, scratch.covariance, rtol=1e-3, atol=1e-5)
        unseen = [level[:8] for level in levels]
        scores = [m.judge(unseen).score for m in (folded, scratch, model)]
    assert (scores[0] - scores[1]).abs().mean() < 0.06 * scores[1].mean()  # of one place each
    assert (scores[0] > scores[2]).all()  # which has seen them


def test_bad_input_is_named(teacher, levels, model):
    with pytest.raises(ModelError, match="1 captures to fit; expected at least 2"):
        JointGaussian(teacher, lights=LIGHTS, image_size=SIZE).fit(lambda: [[level[:1] for level in levels]])
    with pytest.raises(ModelError, match="not finite"):
        JointGaussian(teacher, lights=LIGHTS, image_size=SIZE).fit(lambda: [[level[:2] / 0 for level in levels]])
    with pytest.raises(ModelError, match="show all the same"):
        black = torch.zeros(2, LIGHTS, 3, SIZE, SIZE)  # whose features differ at the borders
        blank = JointGaussian(teacher, lights=LIGHTS, image_size=SIZE).eval()
        with torch.inference_mode():
            blank.fit(lambda: [blank.extract(black[:1]), blank.extract(black[1:])])
    with pytest.raises(ModelError, match=r"lights \[1\] have the weight 0"):
        try:
            model.trust((1.0, 0.0, 1.0))
            model.judge(levels, [1])
        finally:
            model.trust((1.0,) * LIGHTS)
    with pytest.raises(ModelError, match="2 captures, then 0; expected the same ones twice"):
        JointGaussian(teacher, lights=LIGHTS, image_size=SIZE).fit(iter([[[x[:2] for x in levels]], []]).__next__)
    for lights in ([], [3], [-1, 0]):
        with pytest.raises(ModelError, match="expected some of 0 to 2"):
            model.judge([level[:1] for level in levels], lights)
    with pytest.raises(ModelError, match="unknown; choose one of auto"):
        TrainConfig(fusion="best")


def test_a_part_of_many_lights_knows_them_as_the_whole_does():
    """Twelve lights leave each room for 170 channels, which the levels cannot share out evenly: 169."""
    model = JointGaussian(lights=12, image_size=64)
    model.samples.fill_(1)
    model.mean.copy_(torch.arange(len(model.mean), dtype=torch.float32))
    model.covariance.copy_(torch.eye(len(model.mean)))
    part = marginal(model, [3, 7])
    assert (part.channels, part.widths) == (model.channels, model.widths)
    torch.testing.assert_close(part.mean, model.mean[model.columns_of([3, 7])])
    for one, other in zip(part._projected(), model._projected(), strict=True):
        torch.testing.assert_close(one[0], other[0])

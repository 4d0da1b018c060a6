"""A missing light from the others: exact where it is their sum, and by how a place is turned where it is not."""

import numpy as np

from afrd.imaging.pixels import to_linear, to_srgb
from afrd.views.relight import Relighting

SIZE = 40


def lit(seed: int) -> np.ndarray:
    """Linear values [5, 3, H, W] of a bumpy part: four sides, and all of them at once."""
    rng = np.random.default_rng(seed)
    slope = np.kron(rng.normal(0, 0.4, (2, 8, 8)), np.ones((5, 5)))
    normals = np.stack([-slope[0], -slope[1], np.ones((SIZE, SIZE))])
    normals /= np.linalg.norm(normals, axis=0)
    sides = np.array([[0.7, 0, 0.7], [0, 0.7, 0.7], [-0.7, 0, 0.7], [0, -0.7, 0.7]])
    colour = np.kron(rng.uniform(0.2, 0.6, (3, 8, 8)), np.ones((5, 5)))
    values = np.einsum("kc,chw->khw", sides, normals).clip(0)[:, None] * colour
    return np.concatenate([values, 0.25 * values.sum(0, keepdims=True)])


def test_a_sum_of_the_others_is_made_again():
    relight = Relighting.learn([to_srgb(lit(seed)) for seed in range(3)], 4)
    true = lit(9)
    made = relight(to_srgb(true[:4]))
    assert np.abs(to_linear(made) - true[4]).max() < 0.01


def test_a_side_light_is_nearer_than_any_other_light():
    relight = Relighting.learn([to_srgb(lit(seed)) for seed in range(3)], 0)
    true = to_srgb(lit(9))
    error = np.abs(relight(true[1:]) - true[0]).mean()
    assert error < 0.25 * min(np.abs(other - true[0]).mean() for other in true[1:])

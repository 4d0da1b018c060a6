import numpy as np
import pytest

from afrd.training.defect_painter import DefectPainter

SIDE = 64
AZIMUTHS = np.radians([0, 70, 180, -110])
ROWS, COLUMNS = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]


def capture(rng: np.random.Generator) -> np.ndarray:
    """[5, 3, 64, 64]: a matt ball on a dark belt under four spots, and under 0.3 times all of them together."""
    x, y = COLUMNS - rng.uniform(-0.1, 0.1), -ROWS - rng.uniform(-0.1, 0.1)
    inside = x**2 + y**2 < 0.5
    z = np.sqrt(np.clip(0.5 - x**2 - y**2, 0, None)) + 0.3
    normals = np.stack([x, y, z]) / np.sqrt(x**2 + y**2 + z**2)
    spots = [np.array([0.7 * np.cos(a), 0.7 * np.sin(a), 0.7]) for a in AZIMUTHS]
    lit = [np.where(inside, rng.uniform(0.5, 0.9) * np.tensordot(s, normals, 1).clip(0.02), 0.05) for s in spots]
    linear = np.stack([*lit, 0.3 * sum(lit)])[:, None].repeat(3, 1)
    return (linear ** (1 / 2.2)).astype(np.float32)


@pytest.fixture(scope="module")
def captures():
    rng = np.random.default_rng(0)
    return [capture(rng) for _ in range(12)]


@pytest.fixture(scope="module")
def painter(captures):
    return DefectPainter.learn(captures)


def angle(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.degrees(np.arccos(np.clip(np.cos(a - b), -1, 1))))


def test_where_lights_come_from_is_seen_from_the_captures(painter):
    x, y = painter.directions[:4, 0], painter.directions[:4, 1]
    assert max(map(angle, np.arctan2(y, x), AZIMUTHS)) < 10
    assert np.isnan(painter.directions[4]).all()  # all of them together come from no side
    np.testing.assert_allclose(painter.mixture[4], [0.3, 0.3, 0.3, 0.3, 0], atol=0.03)
    assert not painter.mixture[:4].any()


def test_defects_are_mostly_on_the_part(painter, captures):
    rng = np.random.default_rng(1)
    covers = np.mean([painter.paint(captures[0], rng, 1)[1] for _ in range(200)], 0)
    distance = ROWS**2 + COLUMNS**2
    on_part, belt = distance < 0.5, distance > 0.8
    assert covers[on_part].mean() > 2 * covers[belt].mean() > 0


def test_only_covered_pixels_change_and_a_seed_gives_the_same(painter, captures):
    painted, cover = painter.paint(captures[0], np.random.default_rng(3))
    again, _ = painter.paint(captures[0], np.random.default_rng(3))
    assert painted.dtype == np.float32 and painted.min() >= 0 and painted.max() <= 1
    assert np.array_equal(painted, again)
    changed = np.abs(painted - captures[0]).max((0, 1))
    assert changed[cover > 0.9].max() > 0.02
    # relief runs out softly beyond its radius, nothing else leaves it
    far = cover == 0
    assert (changed[far] > 0.02).mean() < 0.05


def test_a_stain_changes_all_lights_alike_and_relief_does_not(captures, painter):
    flat = np.full_like(captures[0], 0.5)

    def spread(kind: str) -> float:
        """Over the four spots, of how much a covered pixel has changed; median over the pixels."""
        painted, cover = painter.paint(flat, np.random.default_rng(5), 6, [kind])
        change = np.log(painted[:4, 1] / flat[:4, 1])
        return float(np.median(change.std(0)[cover > 0.9]))

    assert spread("stain") < 1e-4
    assert spread("relief") > 0.02 and spread("rough") > 0.02


def test_relief_is_brighter_and_darker_along_the_direction_of_each_light(captures, painter):
    """A bump towards it, a dent away from it: an axis, without a sign."""
    flat, rng = np.full_like(captures[0], 0.5), np.random.default_rng(2)
    off: dict[int, list[float]] = {k: [] for k in range(4)}
    for _ in range(60):
        painted, cover = painter.paint(flat, rng, 1, ["relief"])
        if cover.sum() < 20:
            continue
        x, y = (c - (c * cover).sum() / cover.sum() for c in (COLUMNS, -ROWS))
        for k, azimuth in enumerate(AZIMUTHS):
            change = (painted[k, 0] - 0.5) * cover
            axis = np.arctan2((change * y).sum(), (change * x).sum())
            off[k].append(min(angle(axis, azimuth), angle(axis + np.pi, azimuth)))
    assert max(np.median(each) for each in off.values()) < 20  # by chance 45


def test_the_sum_of_lights_stays_their_sum(captures, painter):
    painted, _ = painter.paint(captures[0], np.random.default_rng(7))
    linear = painted**2.2
    inside = (painted.max((0, 1)) < 1) & (captures[0][4, 0] > 0.3)
    assert inside.sum() > 100
    np.testing.assert_allclose(linear[4][:, inside], 0.3 * linear[:4].sum(0)[:, inside], rtol=0.15)


def test_without_any_side_light_relief_comes_from_anywhere(captures):
    flat = [np.full((3, 3, 64, 64), 0.5, np.float32) + 0.01 * k for k in range(3)]
    painter = DefectPainter.learn(flat)
    assert np.isnan(painter.directions).all()
    painted, _ = painter.paint(flat[0], np.random.default_rng(0), 12)
    assert np.abs(painted - flat[0]).max() > 0.05 and np.isfinite(painted).all()

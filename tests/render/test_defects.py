"""Defects against the same part without them: each kind changes what its name says, and its mask is where it does."""

import numpy as np
import pytest
import yaml

from afrd.render import CLASSES
from afrd.render.defects import FOOTPRINT, KINDS, draw_kinds
from afrd.render.sample import render_object
from afrd.render.writing import write_sample

SIZE = 96


def _twins(name, kinds, index=0):
    candy = CLASSES[name]()
    return [
        render_object(candy, "test_public", index, bad=bad, seed=11, size=SIZE, kinds=kinds) for bad in (True, False)
    ]


@pytest.mark.parametrize("name", ["Confetto", "CandyCane"])
def test_colours_leave_the_geometry_alone(name):
    bad, good = _twins(name, ("colors",))
    assert np.array_equal(bad.exposure.depth, good.exposure.depth)
    assert np.array_equal(bad.exposure.normals, good.exposure.normals)
    change = _change(bad, good)
    mask = bad.masks["colors"]
    assert change[mask].mean() > 10 * change[~mask].mean()


def test_fine_surface_changes_normals_only_and_only_there():
    bad, good = _twins("Confetto", ("normals",))
    assert np.array_equal(bad.exposure.depth, good.exposure.depth)
    bent = np.abs(bad.exposure.normals - good.exposure.normals).max(axis=2)
    assert not bent[bad.exposure.weights["normals"] == 0].any()
    assert (bent[bad.masks["normals"]] > 0.004).mean() > 0.9


@pytest.mark.parametrize(("kind", "sign"), [("bumps", -1), ("dents", 1)])
def test_bumps_come_nearer_and_dents_go_deeper_where_the_mask_is(kind, sign):
    agreement = []
    for index in range(4):
        bad, good = _twins("Confetto", (kind,), index)
        both = bad.exposure.part & good.exposure.part  # a dent in the outline lets the belt be seen
        change = np.where(both, sign * (bad.exposure.depth - good.exposure.depth), 0)
        moved = change > FOOTPRINT * change.max()
        mask = bad.masks[kind] & both
        assert change[mask].mean() > 0
        assert np.abs(change[bad.exposure.weights[kind] == 0]).mean() < 1e-7
        agreement.append((moved & mask).sum() / (moved | mask).sum())
    assert np.median(agreement) > 0.7  # one may lie on a slope, where depth and the way out differ


def test_the_twin_shares_everything_but_the_defect():
    bad, good = _twins("ChocolateCookie", ("bumps",))
    far = bad.exposure.weights["bumps"] == 0
    same = np.mean([(bad.exposure.images[k] == good.exposure.images[k])[far].mean() for k in good.exposure.images])
    assert same > 0.9
    assert good.kinds == () and good.defects == ()
    assert not any(mask.any() for mask in good.masks.values())


def test_several_kinds_at_once_have_a_mask_each():
    bad, _ = _twins("HazelnutTruffle", KINDS)
    assert bad.kinds == KINDS
    assert [d.kind for d in bad.defects] == list(KINDS)
    for kind in KINDS:
        assert bad.masks[kind].any() and (bad.masks[kind] <= bad.exposure.part).all()


def test_defects_span_small_and_large_faint_and_strong():
    """Without a spread, a class is either solved or hopeless for every method."""
    rng = np.random.default_rng(0)
    drawn = [draw_kinds(rng) for _ in range(400)]
    for kind in KINDS:
        assert 0.2 < np.mean([kind in kinds for kinds in drawn]) < 0.45
    assert 0.65 < np.mean([len(kinds) == 1 for kinds in drawn]) < 0.85
    candy = CLASSES["Confetto"]()
    draw = {"bad": True, "seed": 11, "size": 48, "kinds": ("dents",)}
    defects = [render_object(candy, "test_public", i, **draw).defects[0] for i in range(10)]
    strengths = [d.strength for d in defects]
    assert max(strengths) > 2.5 * min(strengths)
    assert len({d.form for d in defects}) > 1


def _change(a, b):
    lights = a.exposure.images
    return np.mean([np.abs(lights[k].astype(float) - b.exposure.images[k]).mean(axis=2) for k in lights], axis=0)


@pytest.mark.parametrize("kind", KINDS)
def test_defects_are_as_large_as_asked(kind, tmp_path):
    candy = CLASSES["Confetto"]()
    bad = render_object(candy, "test_public", 1, bad=True, seed=11, size=96, kinds=(kind,), defect_size=(6, 12))
    rows, columns = np.nonzero(bad.masks[kind])
    assert 6 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 12
    assert bad.masks[kind].sum() >= 3
    write_sample(bad, tmp_path / "data", "01", tmp_path / "partial", labelled=True)
    (drawn,) = yaml.safe_load((tmp_path / "data" / "01_obj_params.yaml").read_text())["defects"]
    assert drawn == {**vars(bad.defects[0]), "place": list(bad.defects[0].place)}

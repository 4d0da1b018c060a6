"""Maps that do not fit memory wait on disk, and are the same."""

import dataclasses
import tempfile
from pathlib import Path

import numpy as np
import pytest

from afrd.errors import AfrdError
from afrd.evaluation import evaluate
from afrd.evaluation.kept_maps import KeptMaps
from afrd.imaging.coarse_map import CoarseMap
from afrd.imaging.region import Region

BYTES = 4 * 12 * 16


def some_maps(count: int) -> list[CoarseMap]:
    rng, inside = np.random.default_rng(0), np.zeros((48, 64), bool)
    inside[10:30, 20:50] = True
    region = Region.of(inside)
    return [CoarseMap(rng.random((12, 16), np.float32), (48, 64), region if k % 2 else None) for k in range(count)]


def test_two_stay_in_memory_and_the_others_come_back_from_disk(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found, kept = some_maps(5), KeptMaps(2.5 * BYTES / 1e9)
    for each in found:
        kept.add(each)
    assert kept.in_memory == 2 * BYTES
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.npy")) >= 3 * BYTES
    maps = kept.at_full_size()
    for _ in range(2):
        for each, expected in zip(maps, found, strict=True):
            np.testing.assert_array_equal(each, expected.at_full_size())
    del kept, maps
    assert not list(tmp_path.iterdir())


def test_a_disk_that_takes_none_is_named(tmp_path, monkeypatch) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    monkeypatch.setattr(tempfile, "tempdir", str(blocked))
    with pytest.raises(AfrdError, match=r"blocked: cannot take a map of .* set TMPDIR .* or raise --memory-gb"):
        KeptMaps(0).add(some_maps(1)[0])


def test_an_evaluation_finds_the_same_with_maps_on_disk(domes, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    inspector, captures = domes
    expected = evaluate(inspector, captures, resamples=20)
    one = expected.maps[0].nbytes
    with pytest.warns(UserWarning, match="do not fit"):
        found = evaluate(inspector, captures, resamples=20, memory_gb=4.5 * one / 1e9)
    on_disk = list(tmp_path.rglob("*.npy"))
    assert 0 < len(on_disk) < len(captures)
    for each, other in zip(found.maps, expected.maps, strict=True):
        np.testing.assert_array_equal(each, other)
    areas = found.metrics.pixel_auroc
    assert abs(areas.value - expected.metrics.pixel_auroc.value) <= areas.error
    assert dataclasses.asdict(found.captures[0]).keys() == dataclasses.asdict(expected.captures[0]).keys()


def test_files_are_gone_with_the_evaluation(domes, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    inspector, captures = domes
    with pytest.warns(UserWarning, match="do not fit"):
        found = evaluate(inspector, captures, resamples=20, memory_gb=1e-6)
    assert len(list(Path(tmp_path).rglob("*.npy"))) == len(captures)
    del found
    assert not list(tmp_path.iterdir())

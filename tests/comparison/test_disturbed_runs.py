"""Comparisons with disturbances by the command line, on a user's own folder: one category, a pattern, no val split."""

import csv
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from afrd.comparison.class_data import ClassData
from afrd.comparison.job import Job, Settings
from afrd.comparison.results import Store, read_results
from afrd.comparison.tables import build_tables
from afrd.datasets import open_dataset
from afrd.disturb import Disturbance, disturb_capture
from afrd.inspector import Inspector
from afrd.training import TrainConfig, train
from captures import write_folder, write_image

PATTERN = "{id}_{light}.png"
DISTURB = ["noise:3", "moved:4", "dust:5"]
SUITE = f"""
disturb: [{", ".join(DISTURB)}]
runs:
  - {{methods: [auto, late-mean]}}
  - {{methods: [l2-ae], lights: [1], disturb: [noise]}}
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("parts")
    counts = {"train": {"good": 12}, "test": {"good": 5, "scratch": 4}}
    write_folder(root, counts, lights=("left", "right"), size=64, pattern=PATTERN)
    return root


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    path = tmp_path_factory.mktemp("suite") / "suite.yaml"
    path.write_text(SUITE)
    return path


def command(suite, data, out, *more):
    options = [f"--data={data}", f"--out={out}", f"--pattern={PATTERN}", "--split=test"]
    options += ["--epochs=2", "--image-size=64", "--workers=1", *more]
    return [sys.executable, "-m", "afrd", "benchmark", str(suite), *options]


@pytest.fixture(scope="module")
def whole(suite, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "comparison"
    done = subprocess.run(command(suite, data, folder), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def scores(folder) -> dict:
    """What must not depend on how the jobs were run: of every job under everything it was judged under."""
    found = {}
    for job, result in read_results(folder).items():
        found[job, ""] = [capture["score"] for capture in result["captures"]]
        found |= {(job, by): figures["scores"] for by, figures in result["disturbed"].items()}
    return found


@pytest.mark.parametrize(("method", "light", "settings"), [("rd", "0", ("single:0", 2)), ("auto", "all", ("auto",))])
def test_scores_are_those_of_the_trained_model_on_disturbed_captures(
    whole, data, tmp_path, one_thread, method, light, settings
):
    good, tested = (open_dataset(data, split=split, pattern=PATTERN) for split in ("train", "test"))
    options = dict(zip(("fusion", "epochs"), settings, strict=False))
    card = train(good, tmp_path / "run", TrainConfig(**options, image_size=64, false_alarm_rate=0.1))
    inspector, checked = Inspector.load(tmp_path / "run", check_lights=False), Inspector.load(tmp_path / "run")
    result = read_results(whole)[Job(data.name, method, light, 0)]
    assert result["threshold"] == pytest.approx(card.threshold, rel=0.01)
    assert (result["stated_rate"], result["false_alarm_bound"]) == (card.false_alarm_rate, card.false_alarm_bound)
    for by in DISTURB:
        copies = [disturb_capture(capture, Disturbance.parse(by)) for capture in tested]
        expected = [inspector.inspect_capture(copy).score for copy in copies]
        np.testing.assert_allclose(result["disturbed"][by]["scores"], expected, rtol=0.01)
        limits = [checked.inspect_capture(copy).threshold for copy in copies]
        above = [score > limit for score, limit in zip(result["disturbed"][by]["scores"], limits, strict=True)]
        assert result["disturbed"][by]["above"] == above
        assert result["disturbed"][by]["false_alarm_rate"] == pytest.approx(np.mean(above[:5]))
        assert by != "noise:3" or limits == [card.threshold_unlike] * len(copies)


def test_results_carry_every_figure(whole, data):
    for job, result in read_results(whole).items():
        assert list(result["disturbed"]) == (["noise:2"] if job.method == "l2-ae" else DISTURB)
        assert result["stated_rate"] == (0.1 if job.method == "auto" else 0.5)  # of twelve parts, or of one held out
        for figures in result["disturbed"].values():
            for name in ("image_auroc", "pixel_auroc", "au_pro", "false_alarm_rate", "miss_rate", "light_fault_rate"):
                assert 0 <= figures[name] <= 1
    with (whole / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4 * (1 + 3) + 1 + 1  # auto, late-mean and two of rd; the autoencoder
    noisy = [row for row in rows if (row["method"], row["disturbance"]) == ("auto", "noise:3")]
    (expected,) = [r for job, r in read_results(whole).items() if job.method == "auto"]
    assert float(noisy[0]["image_auroc"]) == expected["disturbed"]["noise:3"]["image_auroc"]


def test_masks_follow_a_moved_part(whole, data):
    """The same maps, moved with the part, would be judged worse by masks that stayed."""
    captures = [c for c in open_dataset(data, split="test", pattern=PATTERN) if c.anomalous]
    moved = [disturb_capture(capture, Disturbance("moved", 4)) for capture in captures]
    assert all((a.mask != b.mask).any() for a, b in zip(captures, moved, strict=True))
    store = Store(whole)
    job = Job(data.name, "rd", "0", 0)
    _, maps = store.read_maps(job, [Disturbance("moved", 4)])
    inside = [m[copy.mask].mean() for m, copy in zip(maps[5:].astype(float), moved, strict=True)]
    outside = [m[~copy.mask].mean() for m, copy in zip(maps[5:].astype(float), moved, strict=True)]
    figures = store.read()[job]["disturbed"]["moved:4"]
    assert (np.mean(inside) > np.mean(outside)) == (figures["pixel_auroc"] > 0.5)


def test_late_fusion_combines_maps_of_disturbed_captures(whole, data):
    store, noise = Store(whole), Disturbance("noise", 3)
    maps = [store.read_maps(Job(data.name, "rd", light, 0), [noise])[1].astype(np.float32) for light in "01"]
    result = store.read()[Job(data.name, "late-mean", "all", 0)]
    np.testing.assert_allclose(
        result["disturbed"]["noise:3"]["scores"], np.mean(maps, axis=0).max(axis=(1, 2)), rtol=1e-5
    )


def test_tables_show_them(whole):
    table = build_tables(whole).table("disturbed")
    assert [heading.title for heading in table.headings][1:3] == ["as it is", "noise σ 2/255"]
    assert table.cell("default", "noise σ 3/255").value is not None


@pytest.mark.slow
def test_a_killed_comparison_goes_on_and_a_further_disturbance_is_added(whole, suite, data, tmp_path):
    folder = tmp_path / "comparison"
    process = subprocess.Popen(command(suite, data, folder), start_new_session=True)
    while not list(folder.glob(f"results/{data.name}*.json")):
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = read_results(folder)
    second = subprocess.run(command(suite, data, folder), capture_output=True, text=True)
    assert second.returncode == 0, second.stderr
    after = read_results(folder)
    assert all(after[job] == result for job, result in before.items())
    assert scores(folder) == scores(whole)
    more = ("--methods=auto", "--disturb=gain:0.7,noise:3")
    third = subprocess.run(command(suite, data, folder, *more), capture_output=True, text=True)
    assert third.returncode == 0, third.stderr
    result = read_results(folder)[Job(data.name, "auto", "all", 0)]
    assert list(result["disturbed"]) == [*DISTURB, "gain:0.7"]
    both = scores(folder)
    for key, expected in scores(whole).items():  # features are read in half precision where they are stored
        np.testing.assert_allclose(both[key], expected, rtol=0.005)


def test_mistakes_end_before_anything_runs(suite, data, tmp_path):
    done = subprocess.run(command(suite, data, tmp_path / "out", "--disturb=rain"), capture_output=True, text=True)
    assert done.returncode == 1
    assert "disturbance 'rain': unknown; there are noise:2, jpeg:90" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out" / "suite.yaml").exists()


def test_what_cannot_be_disturbed_so_is_left_out_with_its_reason(tmp_path):
    """Material that fills the picture has no belt for dust to lie on."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 4), ("test", 2)):
        for i in range(count):
            for light in ("left", "right"):
                texture = rng.integers(0, 255, (3, 32, 32)).astype(np.uint8)
                write_image(tmp_path / "felt" / split / "good" / f"{i}" / f"{light}.png", texture)
    data = ClassData(tmp_path, "felt", Settings(image_size=32), tmp_path / "features", ("dust:10", "gain:0.8"))
    assert list(map(str, data.copies)) == ["None", "gain:0.8"]
    assert data.light_faults[Disturbance("dust", 10)].startswith("capture good-0: no belt to be seen")
    assert data.images("test", "0").shape == (2 * 2, 3, 32, 32)

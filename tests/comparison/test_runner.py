"""Comparisons on tiny captures, by the command line: stopped, killed, failing, on processes and on Ray."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from afrd.comparison.job import Job, Settings
from afrd.comparison.results import Store, read_results
from afrd.comparison.worker import run_job
from afrd.datasets import open_dataset
from afrd.errors import RunError
from afrd.evaluation import evaluate
from afrd.inspector import Inspector
from afrd.training import TrainConfig, train
from command import afrd

SUITE = "runs:\n  - {methods: [mean, rd], lights: [0, 3]}\n"


def command(suite, data, out, *more):
    return [
        sys.executable,
        "-m",
        "afrd",
        "benchmark",
        str(suite),
        f"--data={data}",
        f"--out={out}",
        "--epochs=2",
        "--image-size=64",
        *more,
    ]


def run(*arguments):
    return subprocess.run(command(*arguments), capture_output=True, text=True)


def scores(folder: Path) -> dict:
    """What must not depend on how the jobs were run."""
    return {job: [c["score"] for c in result["captures"]] for job, result in read_results(folder).items()}


def wait_for(condition, process):
    while not (found := condition()):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    return found


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    path = tmp_path_factory.mktemp("suite") / "suite.yaml"
    path.write_text(SUITE)
    return path


@pytest.fixture(scope="module")
def whole(tiny, suite, tmp_path_factory):
    """The comparison that nothing happened to."""
    folder = tmp_path_factory.mktemp("whole") / "comparison"
    done = run(suite, tiny, folder, "--workers=1")
    assert done.returncode == 0, done.stderr
    return folder


def test_a_job_scores_as_the_trained_model_scores_the_images(whole, tiny, tmp_path, one_thread):
    config = TrainConfig(fusion="single:3", epochs=2, image_size=64, false_alarm_rate=0.1)
    train(open_dataset(tiny, "Confetto"), tmp_path / "run", config, holdout=open_dataset(tiny, "Confetto", "val"))
    direct = evaluate(Inspector.load(tmp_path / "run"), open_dataset(tiny, "Confetto", "test_public"))
    result = read_results(whole)[Job("Confetto", "rd", "3", 0)]
    assert [c["id"] for c in result["captures"]] == [c.id for c in direct.captures]
    # features in half precision, once and for all lights
    np.testing.assert_allclose([c["score"] for c in result["captures"]], [c.score for c in direct.captures], rtol=0.01)
    assert result["threshold"] == pytest.approx(direct.threshold, rel=0.01)
    assert result["pixel_auroc"] == pytest.approx(direct.pixel_auroc, abs=0.01)


def test_every_job_tells_how_it_was_made(whole):
    for result in read_results(whole).values():
        assert result["settings"]["epochs"] == 2
        assert result["data"]["kind"] == "eyecandies"
        assert result["n_train"] == 12
        assert result["seconds_total"] > result["seconds_fit"] > 0
        assert 100 < result["peak_memory_mb"] < 10_000
        assert {"afrd", "torch", "python"} <= result["versions"].keys()


def test_the_teacher_reads_a_class_once(whole):
    assert len(list((whole / "features").glob("features-*"))) == 3  # train, held out, test


def test_every_fusion_is_made_from_the_stored_features(whole, tiny, tmp_path, one_thread):
    shutil.copytree(whole, tmp_path / "comparison")
    for level in (tmp_path / "comparison" / "features").glob("*/level*.npy"):
        np.lib.format.open_memmap(level, "r+")[:] = 1
    for method, light in (("rd", "3"), ("mean", "all")):  # every capture is the same to them, whatever its images
        job = Job("Confetto", method, light, 5)
        settings = Settings(epochs=1, image_size=64)
        assert run_job(tiny, job, settings, tmp_path / "comparison") == "done"
        scores = [c["score"] for c in read_results(tmp_path / "comparison")[job]["captures"]]
        assert max(scores) - min(scores) < 1e-6


@pytest.mark.slow
def test_a_killed_comparison_goes_on_with_what_is_missing(whole, tiny, suite, tmp_path):
    folder = tmp_path / "comparison"
    process = subprocess.Popen(command(suite, tiny, folder, "--workers=1"), start_new_session=True)
    wait_for(lambda: list(folder.glob("results/Confetto*.json")), process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = read_results(folder)
    assert 1 <= len(before) < 3
    second = run(suite, tiny, folder, "--workers=2")
    assert second.returncode == 0, second.stderr
    after = read_results(folder)
    assert all(after[job] == result for job, result in before.items())
    assert second.stderr.count("done   Confetto") == 3 - len(before)
    assert scores(folder) == scores(whole)


@pytest.mark.slow
def test_a_dead_worker_costs_its_job_nothing_but_time(whole, tiny, suite, tmp_path):
    folder = tmp_path / "comparison"
    process = subprocess.Popen(command(suite, tiny, folder, "--workers=2"), stderr=subprocess.PIPE, text=True)
    worker = wait_for(lambda: children(process.pid, "spawn_main"), process)[0]
    wait_for(lambda: folder.joinpath("features").exists(), process)  # it is at work
    os.kill(worker, signal.SIGKILL)
    _, log = process.communicate()
    assert process.returncode == 0, log
    assert log.count("lost ") == 1
    assert scores(folder) == scores(whole)


@pytest.mark.slow
def test_a_runner_that_is_killed_takes_its_workers_along(tiny, suite, tmp_path):
    process = subprocess.Popen(command(suite, tiny, tmp_path / "comparison", "--workers=1"))
    (worker,) = wait_for(lambda: children(process.pid, "spawn_main"), process)
    wait_for(lambda: (tmp_path / "comparison" / "features").exists(), process)
    process.kill()
    process.wait()
    while Path(f"/proc/{worker}").exists():
        time.sleep(0.1)


@pytest.mark.slow
def test_two_runners_do_not_share_a_folder(tiny, suite, tmp_path):
    process = subprocess.Popen(command(suite, tiny, tmp_path / "comparison", "--workers=1"))
    wait_for(lambda: (tmp_path / "comparison" / "suite.yaml").exists(), process)
    second = run(suite, tiny, tmp_path / "comparison")
    process.kill()
    process.wait()
    assert second.returncode == 1
    assert "another process runs this comparison" in second.stderr


@pytest.mark.slow
def test_what_fails_is_a_row_that_says_why_and_is_tried_again(tiny, tmp_path):
    folder = tmp_path / "comparison"
    suite = tmp_path / "suite.yaml"
    suite.write_text("runs:\n  - {methods: [mean, anomalib-rd], lights: [0]}\n")
    first = run(suite, tiny, folder, "--workers=1")
    assert first.returncode == 1
    assert "failed Confetto__anomalib-rd__0__seed0" in first.stderr
    result = read_results(folder)[Job("Confetto", "anomalib-rd", "0", 0)]
    assert result["status"] == "failed"
    assert "ResNet" in result["error"]
    table = (folder / "results.csv").read_text()
    assert "ResNet" in table
    again = run(suite, tiny, folder, "--workers=1")
    assert again.returncode == 1
    assert "mean" not in again.stderr


def test_a_job_whose_maps_are_needed_and_failed_fails_those_that_need_it(tiny, tmp_path):
    settings, folder = Settings(epochs=1, image_size=64), tmp_path / "comparison"
    Store(folder).open(settings)
    assert run_job(tiny, Job("Confetto", "late-mean", "all", 0), settings, folder) == "failed"
    (path,) = folder.glob("results/*.json")
    assert "Confetto__rd__0__seed0.npz: missing" in json.loads(path.read_text())["error"]


def test_a_changed_data_set_is_not_mixed_in(whole, suite, tmp_path):
    from captures import write_eyecandies

    counts = {"train": (12, 0), "val": (6, 0), "test_public": (8, 8)}
    write_eyecandies(tmp_path / "data", counts=counts, size=64, seed=1)
    shutil.copytree(whole, tmp_path / "comparison", ignore=shutil.ignore_patterns("features"))
    again = run(suite, tmp_path / "data", tmp_path / "comparison")
    assert again.returncode == 1
    assert "made from other captures (train, holdout, test changed since)" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--classes=Confeto"], "class 'Confeto': not in the data set, which has Confetto"),
        (["--methods=mena"], "method 'mena': unknown"),
        (["--lights=9"], "light '9': unknown; lights are numbered 0 to 5, or mean-image"),
        (["--teacher=efficientnet_lite9"], "efficientnet_lite9"),
        (["--teacher-weights=missing.pth"], "missing.pth"),
        (["--image-size=250"], "image size 250: expected a multiple of 32"),
        (["--methods=rd", "--lights=mean-image"], "method rd: cannot read mean-image; it takes 0, 1, 2, 3, 4, 5"),
    ],
)
def test_mistakes_end_before_anything_runs(tiny, suite, tmp_path, arguments, message):
    done = afrd(*command(suite, tiny, tmp_path / "comparison", *arguments)[3:], check=1)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "comparison" / "suite.yaml").exists()  # so the corrected command is not refused


def test_a_folder_that_is_not_the_shared_one_is_noticed(tiny, tmp_path):
    with pytest.raises(RunError, match="no comparison here"):
        run_job(tiny, Job("Confetto", "mean", "all", 0), Settings(image_size=64), tmp_path)


@pytest.mark.slow
def test_ray_runs_a_lost_workers_job_again(whole, tiny, suite, tmp_path):
    folder = tmp_path / "comparison"
    process = subprocess.Popen(
        command(suite, tiny, folder, "--ray=local", "--workers=2"), stderr=subprocess.PIPE, text=True
    )
    worker = wait_for(lambda: [p for p in working("ray::run_job") if process.pid in ancestors(p)], process)[0]
    os.kill(worker, signal.SIGKILL)
    _, log = process.communicate()
    assert process.returncode == 0, log
    assert log.count("lost ") == 1
    assert log.count("done   Confetto") == 3
    assert scores(folder) == scores(whole)


@pytest.fixture
def cluster():
    """Its head computes nothing, so that jobs must go to the other two nodes, each with a Ray of its own."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    nodes = [made.add_node(num_cpus=1, include_dashboard=False) for _ in range(2)]
    yield made, nodes
    made.shutdown()


@pytest.mark.slow
def test_jobs_of_a_lost_node_are_run_on_another(cluster, whole, tiny, suite, tmp_path):
    made, nodes = cluster
    folder = tmp_path / "comparison"
    arguments = command(suite, tiny, folder, f"--ray={made.address}", "--threads=1")
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)
    raylet = nodes[0].all_processes["raylet"][0].process.pid
    wait_for(lambda: [pid for pid in working("ray::run_job") if raylet in ancestors(pid)], process)
    made.remove_node(nodes[0], allow_graceful=False)
    _, log = process.communicate()
    assert process.returncode == 0, log
    assert log.count("lost ") == 1
    assert log.count("done   Confetto") == 3
    assert scores(folder) == scores(whole)


def test_a_cluster_that_is_not_there_is_an_error(tiny, suite, tmp_path):
    done = run(suite, tiny, tmp_path / "comparison", "--ray=127.0.0.1:1")
    assert done.returncode == 1
    assert "--ray 127.0.0.1:1:" in done.stderr
    assert "Traceback" not in done.stderr


def children(pid: int, name: str) -> list[int]:
    """Processes started by `pid` whose command has `name` in it."""
    return [p for p in working(name) if f"\nPPid:\t{pid}\n" in read(f"/proc/{p}/status")]


def ancestors(pid: int) -> list[int]:
    """Of a process, nearest first."""
    found = []
    while (line := re.search(r"^PPid:\t(\d+)$", read(f"/proc/{pid}/status"), re.MULTILINE)) and pid > 1:
        pid = int(line[1])
        found.append(pid)
    return found


def working(name: str) -> list[int]:
    pids = [int(p.name) for p in Path("/proc").iterdir() if p.name.isdecimal()]
    return [pid for pid in pids if name in read(f"/proc/{pid}/cmdline")]


def read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:  # it ended meanwhile
        return ""

"""The paper's setting in miniature: ten classes in the exact layout, all 17 items, WRN50-2 from a file."""

import subprocess
import sys

import pytest
import timm
from safetensors.torch import save_file

from afrd.comparison import paper
from afrd.comparison.results import read_results
from captures import write_eyecandies

ITEMS = {
    *(f"image_{k}.png" for k in range(6)),
    *("depth.png", "info_depth.yaml", "normals.png", "pose.txt", "obj_params.yaml", "metadata.yaml", "mask.png"),
    *(f"{defect}_mask.png" for defect in ("bumps", "dents", "colors", "normals")),
}

LEARNED = ("CandyCane", "PeppermintCandy")  # of the ten: each takes a minute with this teacher


def afrd(*arguments):
    done = subprocess.run([sys.executable, "-m", "afrd", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def eyecandies(tmp_path_factory):
    root = tmp_path_factory.mktemp("eyecandies")
    counts = {"train": (2, 0), "val": (1, 0), "test_public": (2, 2), "test_private": (1, 1)}
    write_eyecandies(root, paper.CLASSES, counts, size=128, width=2)
    return root


@pytest.mark.slow
def test_tables_of_the_paper_from_its_data_set_and_teacher(eyecandies, tmp_path):
    first = eyecandies / "CandyCane" / "train" / "data"
    assert {path.name.removeprefix("00_") for path in first.glob("00_*")} == ITEMS
    teacher = timm.create_model("wide_resnet50_2.tv_in1k", pretrained=False)
    save_file(teacher.state_dict(), tmp_path / "wrn50.safetensors")
    out = tmp_path / "comparison"
    afrd(
        *("benchmark", "table3", "--methods", "attention", "--data", eyecandies, "--out", out, "--workers", 1),
        *("--teacher", "wide_resnet50_2.tv_in1k", "--teacher-weights", tmp_path / "wrn50.safetensors"),
        *("--image-size", 64, "--epochs", 1, "--classes", ",".join(LEARNED)),
    )
    results = read_results(out)
    assert sorted(job.category for job in results) == sorted(LEARNED)
    assert all(result["status"] == "done" for result in results.values())
    afrd("benchmark", "tables", out)
    table = (out / "tables.md").read_text()
    assert "AFRD (attention), paper | " in table
    assert "AFRD (attention), here" in table
    assert "rendered" not in table
    (row,) = [row for row in table.split("## Table III")[1].splitlines() if row.startswith("| Peppermint Candy |")][:1]
    assert "1.000" in row  # the paper's, beside ours

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from breaking import truncate
from command import afrd
from quick import QUICK_OPTIONS

COMMANDS = ("demo", "render", "check", "train", "evaluate", "predict", "report", "export", "benchmark")


@pytest.fixture(scope="module")
def run(tiny, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("cli") / "run"
    afrd("train", tiny, "--category", "Confetto", "--out", out, "--image-size", 64, *QUICK_OPTIONS)
    return out


def test_help_needs_none_of_the_heavy_packages():
    heavy = {"torch", "timm", "cv2", "scipy", "sklearn", "matplotlib", "mitsuba", "numpy", "pydantic"}
    heavy |= {"anomalib", "ray", "onnx", "onnxruntime", "openvino", "nncf"}
    code = (
        "import sys; sys.argv = ['afrd', '--help']\nfrom afrd.cli import main\n"
        f"try: main()\nexcept SystemExit: pass\nprint('LOADED', sorted({heavy!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for command in COMMANDS:
        assert command in done.stdout
    assert done.stdout.strip().endswith("LOADED []")


def test_every_command_explains_itself():
    for command in COMMANDS:
        assert "Usage" in afrd(command, "--help").stdout


def test_evaluate_writes_the_figures(run, tiny, tmp_path):
    done = afrd("evaluate", run, tiny, "--category", "Confetto", "--json", tmp_path / "e.json")
    result = json.loads((tmp_path / "e.json").read_text())
    assert {
        "category", "split", "image_auroc", "pixel_auroc", "au_pro", "image_auroc_ci", "per_defect", "threshold",
        "n_good", "n_bad", "seconds_per_capture", "config",
    } <= result.keys()  # fmt: skip
    assert (result["category"], result["split"], result["n_good"], result["n_bad"]) == ("Confetto", "test_public", 8, 8)
    assert set(result["per_defect"]) == {"bumps", "dents", "colors", "normals"}
    low, high = result["image_auroc_ci"]
    assert 0 <= low <= result["image_auroc"] <= high <= 1
    assert f"{result['image_auroc']:.3f}" in done.stdout
    for split in ("train", "val"):
        done = afrd("evaluate", run, tiny, "--category", "Confetto", "--split", split)
        assert "The model learned from these captures" in done.stdout


def test_predict_answers_for_captures_without_labels(run, tiny, tmp_path):
    out = tmp_path / "out"
    afrd("predict", run, tiny / "Confetto" / "test_public", "--out", out, "--jsonl", tmp_path / "a.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert len(lines) == 16
    assert all((out / line["overlay"]).is_file() and line["verdict"] in {"good", "anomalous"} for line in lines)
    again = afrd(
        *("predict", run, tiny / "Confetto" / "test_public", "--out", out, "--jsonl", tmp_path / "a.jsonl"), check=1
    )
    assert "a.jsonl: holds answers already; choose another --jsonl, or pass --overwrite" in again.stderr
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 16  # refused, so nothing is lost


def test_predict_answers_until_a_damaged_file_and_names_it(run, tiny, tmp_path):
    data = tmp_path / "captures"
    for file in sorted((tiny / "Confetto" / "test_public" / "data").glob("00[0-2]_image_*.png")):
        index, light = file.stem.split("_", 1)
        (data / index).mkdir(parents=True, exist_ok=True)
        (data / index / f"{light}.png").write_bytes(file.read_bytes())
    truncate(data / "001" / "image_3.png")
    options = ("--out", tmp_path / "o", "--jsonl", tmp_path / "a.jsonl", "--no-pictures")
    refused = afrd("predict", run, data, *options, "--rig-state", tmp_path / "rig.json", check=1)
    assert "001/image_3.png: truncated" in refused.stderr
    assert json.loads((tmp_path / "rig.json").read_text())["captures"] == 1  # that of 000 is kept
    (line,) = (tmp_path / "a.jsonl").read_text().splitlines()
    assert json.loads(line)["id"] == "000" and json.loads(line)["overlay"] is None
    assert [file.name for file in (tmp_path / "o").iterdir()] == ["000_map.png"]
    (tmp_path / "a.jsonl").unlink()
    assert "holds an answer for capture 000" in afrd("predict", run, data, *options, check=1).stderr


def test_predict_says_before_it_begins_where_it_cannot_write(run, tiny, tmp_path):
    (tmp_path / "file").touch()
    data = tiny / "Confetto" / "test_public"
    refused = afrd("predict", tmp_path / "no run", data, "--out", tmp_path / "file", check=1)  # no model is looked for
    assert "file: is a file, not a folder; choose another" in refused.stderr
    name = "n" * 244
    for light in sorted((data / "data").glob("000_image_*.png")):
        (tmp_path / name).mkdir(exist_ok=True)
        shutil.copy(light, tmp_path / name / light.name.removeprefix("000_"))
    refused = afrd("predict", run, tmp_path / name, "--out", tmp_path / "o", check=1)
    assert "nnn: its name is too long for the file <id>_overlay.png, 256 bytes where 255 are" in refused.stderr
    assert not (tmp_path / "o").exists()
    afrd("predict", run, tmp_path / name, "--out", tmp_path / "o", "--no-pictures")


def test_predict_removes_what_a_killed_one_left(run, tiny, tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = tmp_path / f".000_sheet.{ended.pid}.tmp.png"
    left.write_bytes(b"half")
    afrd("predict", run, tiny / "Confetto" / "test_public", "--out", tmp_path, "--no-pictures")
    assert len(list(tmp_path.iterdir())) == 16 and not left.exists()


def test_predict_watches_the_rig(run, tiny, tmp_path):
    state = tmp_path / "rig.json"
    dimmed = shutil.copytree(tiny / "Confetto" / "test_public" / "data", tmp_path / "dimmed" / "data")
    for path in dimmed.glob("*_image_*.png"):
        Image.fromarray((np.asarray(Image.open(path)) * 0.5).round().astype(np.uint8)).save(path)
    answers = ("--out", tmp_path / "out", "--jsonl", tmp_path / "a.jsonl", "--rig-state", state, "--overwrite")
    as_ever = afrd("predict", run, tiny / "Confetto" / "test_public", *answers)
    assert "drifted" not in as_ever.stderr
    assert json.loads(state.read_text())["captures"] == 16
    done = afrd("predict", run, dimmed.parent, *answers)
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert all(re.match(r"rig: all lights: (4|5)\d.\d% darker", " ".join(line["rig_notes"])) for line in lines)
    assert "the rig drifted: all lights: " in done.stderr
    assert json.loads(state.read_text())["captures"] == 32
    without = ("--missing", "top", "--no-pictures")
    told = afrd("predict", run, dimmed.parent, *answers, *without).stderr
    assert "rig.json: without effect; without a light the whole rig is not told" in told
    assert json.loads(state.read_text())["captures"] == 32
    for content in (b"{}", b"", b"\xff"):
        state.write_bytes(content)
        refused = afrd("predict", run, dimmed.parent, *answers, check=1)
        assert "rig.json: state of the rig's monitor: " in refused.stderr


def test_report_is_written(run, tiny, tmp_path):
    afrd("report", run, tiny, "--category", "Confetto", "--out", tmp_path / "r.html")
    assert "</html>" in (tmp_path / "r.html").read_text()


def test_check_lists_every_problem_and_fails(tiny, tmp_path):
    understood = afrd("check", tiny).stdout
    assert "no problems" in understood
    assert "Confetto: captures train 12, val 6, test_public 16; 6 lights: all_spots, " in understood
    shutil.copytree(tiny, tmp_path / "d")
    images = sorted((tmp_path / "d" / "Confetto" / "train" / "data").glob("*_image_3.png"))
    images[0].unlink()
    images[1].write_bytes(images[1].read_bytes()[:60])
    done = afrd("check", tmp_path / "d", check=1)
    assert images[0].name.split("_")[0] in done.stdout
    assert images[1].name in done.stdout
    assert "2 problems" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["train", "{tiny}", "--category", "Nougat", "--out", "{tmp}/r"], 1, "Confetto"),
        (["train", "{tiny}", "--category", "Confetto", "--out", "{tmp}/r", "--fusion", "median"], 1, "'median'"),
        (["train", "{tiny}", "--out", "{tmp}/r", "--fusion", "mean", "--epochs", "0"], 2, "--epochs"),
        (["train", "{tiny}", "--category", "Confetto", "--out", "{tmp}/r", "--loss", "l2"], 2, "position"),
        (["train", "{tiny}", "--out", "{tmp}/r", "--epochs", "3"], 2, "without effect on the"),
        (["train", "{tiny}", "--out", "{tmp}/r", "--fusion", "mean", "--painting-pairs", "9"], 2, "--painting-pairs"),
        (["train", "{tiny}", "--out", "{tmp}/r", "--fusion", "nearest", "--disturbing-captures", "2", "--growable"],
         2, "--disturbing-captures, --growable"),
        (["train", "{tiny}", "--category", "Confetto", "--out", "{tmp}/r", "--black", "300"], 1,
         "black 300: expected less than white, 255 at 8 bits; correct --black"),
        (["train", "{tiny}", "--out", "{tmp}/r", "--false-alarm-rate", "2"], 2, "--false-alarm-rate"),
        (["train", "{tiny}", "--category", "Confetto", "--out", "{tmp}/r", "--accelerator", "abacus"], 1, "abacus"),
        (["train", "{tmp}", "--out", "{tmp}/r"], 1, "data set"),
        (["evaluate", "{tmp}", "{tiny}"], 1, "no trained model here"),
        (["render", "{tmp}/x", "--classes", "Nougat"], 1, "Nougat"),
        (["train", "{tiny}", "--out", "{tiny}/Confetto/train/data/000_image_0.png"], 1, "is a file"),
        (["train", "{tiny}", "--out", "{tmp}/r", "--teacher", "resnet18.nonsense"], 1, "is the tag"),
        (["train", "{tiny}", "--out", "{tmp}/r", "--seed", "99999999999"], 2, "--seed"),
        (["report", "{tmp}", "{tiny}", "--out", "{tmp}"], 1, "is a folder"),
        (["predict", "{tmp}", "{tmp}", "--out", "{tmp}/o", "--jsonl", "{tmp}"], 1, "is a folder"),
        (["train", "{tiny}"], 2, "--out"),
        (["paint"], 2, "paint"),
    ],
)  # fmt: skip
def test_mistakes_end_in_one_clear_line(tiny, tmp_path, arguments, status, says):
    done = afrd(*(a.format(tiny=tiny, tmp=tmp_path) for a in arguments), check=status)
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    if status == 1:
        assert len([line for line in done.stderr.splitlines() if line.startswith("afrd: ")]) == 1
    assert not (tmp_path / "r").exists()

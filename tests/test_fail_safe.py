"""No part is called good by lights that cannot be trusted: a shaded ball, its inversion, and faults made by hand."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from afrd.capture import Capture
from afrd.datasets import open_dataset
from afrd.errors import ModelError
from afrd.evaluation import evaluate, write_report
from afrd.fail_safe import light_faults_in_words, trust
from afrd.inspector import Inspector
from afrd.rig.light_check import LightFault
from afrd.training import TrainConfig, train
from breaking import truncate
from captures import write_image, write_lights
from command import afrd

LIGHTS = ("east", "north", "west", "south")
SIZE = 64


def lambert(seed: int, relief: float = 1.0) -> np.ndarray:
    """[4, 3, 64, 64] uint8: a cap of a ball on a plane, under four lights at 45°; relief -1 is a hollow."""
    rng = np.random.default_rng(seed)
    y, x = (np.mgrid[:SIZE, :SIZE] - SIZE / 2 + rng.uniform(-2, 2, (2, 1, 1))) / (SIZE / 2.6)
    height = np.sqrt(np.clip(1 - x**2 - y**2, 0.3, None)) * relief
    slope_y, slope_x = np.gradient(height, 2.6 / SIZE)
    shading = [
        np.clip(1 - np.cos(a) * slope_x - np.sin(a) * slope_y, 0.05, None) / np.sqrt(1 + slope_x**2 + slope_y**2)
        for a in np.pi / 2 * np.arange(4)
    ]
    colour = rng.uniform(0.95, 1.05) * np.array([0.9, 0.6, 0.5])[:, None, None]
    images = 110 * np.stack(shading)[:, None] * colour + rng.normal(0, 1, (4, 3, SIZE, SIZE))
    return np.clip(np.rint(images), 0, 255).astype(np.uint8)


def write(folder, images: np.ndarray) -> None:
    for light, image in zip(LIGHTS, images, strict=True):
        write_image(folder / f"{light}.png", image)


@pytest.fixture(scope="module")
def balls(tmp_path_factory):
    root = tmp_path_factory.mktemp("balls")
    for split, seeds in (("train", range(16)), ("val", range(100, 108)), ("test", range(200, 206))):
        for seed in seeds:
            write(root / split / "good" / f"{seed}", lambert(seed))
    for seed in range(300, 306):
        write(root / "test" / "inverted" / f"{seed}", lambert(seed, relief=-1))
    write_lights(root / "lights.yaml", LIGHTS)
    return root


@pytest.fixture(scope="module")
def run(balls, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "joint"
    captures, held_out = (open_dataset(balls, None, split) for split in ("train", "val"))
    config = TrainConfig(image_size=SIZE, false_alarm_rate=0.12, disturbing={"copies": 0})
    train(captures, out, config, holdout=held_out)
    return out


@pytest.fixture(scope="module")
def inspector(run):
    return Inspector.load(run)


def test_a_hollow_is_not_taken_for_a_ball_under_exchanged_lights(run, inspector):
    hollows = [lambert(seed, relief=-1) for seed in range(300, 306)]
    unchecked = Inspector.load(run, check_lights=False)
    assert [unchecked.inspect(images).verdict for images in hollows] == ["anomalous"] * 6
    swapped_back = [unchecked.inspect(images[[2, 3, 0, 1]]).verdict for images in hollows]
    assert "good" in swapped_back  # so putting the lights back would hide it
    for each in (inspector, Inspector.load(run, on_light_fault="leave-out")):
        answers = [each.inspect(images) for images in hollows]
        assert "good" not in [answer.verdict for answer in answers]
        assert [answer.would_be for answer in answers] == ["anomalous"] * 6
        assert all("the part may as well be inverted" in answer.light_notes[-1] for answer in answers)


def test_a_defect_that_one_light_alone_shows_is_never_good(inspector):
    for seed in range(200, 204):
        assert inspector.inspect(lambert(seed)).verdict == "good"
        for share in (0.3, 0.5, 0.8, 1.0):
            images = lambert(seed)
            images[1, :, : int(SIZE * share)] //= 2
            assert inspector.inspect(images).verdict != "good", share


def test_reject_says_what_the_verdict_would_be(inspector, run):
    images = lambert(200)
    images[3] = 0
    answer = inspector.inspect(images)
    assert (answer.verdict, answer.would_be, answer.anomalous) == ("light fault", "good", True)
    judged = Inspector.load(run, on_light_fault="leave-out").inspect(images)
    assert (judged.verdict, judged.would_be, judged.left_out) == ("good", None, (3,))
    assert judged.score == answer.score
    told = inspector.inspect(images, missing=["south"])  # the user's own ask
    assert (told.verdict, told.light_faults) == ("good", ())


def test_the_card_carries_what_was_asked_for_in_training(balls, tmp_path):
    captures, held_out = (open_dataset(balls, None, split) for split in ("train", "val"))
    config = TrainConfig(fusion="mean", epochs=1, image_size=SIZE, on_light_fault="leave-out")
    train(captures.subset(range(4)), tmp_path / "run", config, holdout=held_out)
    assert Inspector.load(tmp_path / "run").on_light_fault == "leave-out"
    assert Inspector.load(tmp_path / "run", on_light_fault="reject").on_light_fault == "reject"
    with pytest.raises(ModelError, match="on_light_fault 'ignore': unknown; choose one of reject, leave-out"):
        Inspector.load(tmp_path / "run", on_light_fault="ignore")


class Spoilt(list):
    """The test split, with the south light out in the first good part, the first two bad ones, or all."""

    category, split, options = "ball", "test", None

    def read_as(self, imaging):
        return self

    def __init__(self, captures, out: set[str]) -> None:
        super().__init__(
            Capture(c.id, c.images * (np.arange(4) != 3)[:, None, None, None].astype(np.uint8), c.lights, c.anomalous,
                    c.defects, c.mask) if c.id in out else c
            for c in captures
        )  # fmt: skip
        self.lights = captures.lights


def test_light_faults_count_beside_false_alarms_and_misses(balls, inspector, tmp_path):
    test = open_dataset(balls, None, "test")
    spoilt = Spoilt(test, {"good-200", "inverted-300", "inverted-301"})
    evaluation = evaluate(inspector, spoilt, resamples=10)
    result = evaluation.to_json()
    hollows = [inspector.inspect(lambert(seed, relief=-1)).verdict for seed in range(302, 306)]
    bad = 2 + hollows.count("light fault")
    assert result["light_faults"] == {"good": 1, "bad": bad}
    assert (result["light_fault_rate_good"], result["light_fault_rate_bad"]) == (1 / 6, bad / 6)
    assert result["false_alarm_rate"] == result["confusion"]["false_alarm"] / 6
    assert result["miss_rate"] == 0
    assert {r["verdict"] for r in result["captures"] if r["id"] == "good-200"} == {"light fault"}
    write_report(tmp_path / "r.html", evaluation, spoilt, n_examples=24)
    html = (tmp_path / "r.html").read_text()
    assert f"{1 + bad} light faults" in html
    assert "light south: dark" in html
    assert html.count("<td>light fault</td>") == 1 + bad


def test_a_split_of_light_faults_alone_has_no_metric_and_no_good_part(balls, inspector, tmp_path):
    test = open_dataset(balls, None, "test")
    spoilt = Spoilt(test, {capture.id for capture in test})
    evaluation = evaluate(inspector, spoilt, resamples=10)
    assert evaluation.image_auroc is None
    assert "no capture was judged, 12 have a fault of the lights" in evaluation.metrics.image_auroc.reason
    assert evaluation.light_fault_rates == (1, 1)
    assert evaluation.false_alarm_rate == evaluation.miss_rate == 0
    write_report(tmp_path / "r.html", evaluation, spoilt)


def test_the_command_line_says_it_and_never_good(run, tmp_path):
    images = lambert(200)
    write(tmp_path / "in" / "whole", images)
    images[3] = 0
    write(tmp_path / "in" / "dead", images)
    verdicts = {}
    for mode in ("reject", "leave-out"):
        out, jsonl = tmp_path / mode, tmp_path / f"{mode}.jsonl"
        command = [sys.executable, "-m", "afrd", "predict", run, tmp_path / "in", "--out", out, "--jsonl", jsonl]
        done = subprocess.run([*map(str, command), "--on-light-fault", mode], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        lines = [json.loads(line) for line in jsonl.read_text().splitlines()]
        verdicts[mode] = {line["id"]: (line["verdict"], line["would_be"]) for line in lines}
        if mode == "reject":
            assert "light fault (would be good)" in done.stdout
            assert "2 captures: 1 good, 0 anomalous, 1 light fault" in done.stderr
    assert verdicts == {
        "reject": {"whole": ("good", None), "dead": ("light fault", "good")},
        "leave-out": {"whole": ("good", None), "dead": ("good", None)},
    }


def test_evaluation_by_the_command_counts_it_or_leaves_the_light_out(balls, run, tmp_path):
    data, found = shutil.copytree(balls, tmp_path / "data"), {}
    write_image(data / "test" / "good" / "200" / "south.png", np.zeros((3, SIZE, SIZE), np.uint8))
    for mode in ("reject", "leave-out"):
        command = [sys.executable, "-m", "afrd", "evaluate", run, data, "--json", tmp_path / f"{mode}.json"]
        done = subprocess.run([*map(str, command), "--on-light-fault", mode], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        captures = json.loads((tmp_path / f"{mode}.json").read_text())["captures"]
        found[mode] = next(each["outcome"] for each in captures if each["id"] == "good-200")
    assert found == {"reject": "light fault", "leave-out": "passed"}


def test_a_missing_light_needs_no_file_and_the_verdict_is_the_same(run, tmp_path):
    stained = lambert(201)
    stained[:, :, 20:32, 20:32] //= 2
    for name in ("whole", "absent", "damaged"):
        write(tmp_path / name / "good", lambert(200))
        write(tmp_path / name / "stained", stained)
    for part in ("good", "stained"):
        (tmp_path / "absent" / part / "south.png").unlink()
        truncate(tmp_path / "damaged" / part / "south.png")
    answers = {}
    for name in ("whole", "absent", "damaged"):
        jsonl = tmp_path / f"{name}.jsonl"
        told = ("--out", tmp_path / f"{name} out", "--jsonl", jsonl, "--missing", "south")
        afrd("predict", run, tmp_path / name, *told)
        answers[name] = [json.loads(line) for line in jsonl.read_text().splitlines()]
    assert answers["whole"] == answers["absent"] == answers["damaged"]
    assert [line["verdict"] for line in answers["whole"]] == ["good", "anomalous"]
    assert all(line["left_out"] == ["south"] for line in answers["whole"])
    expected = Inspector.load(run).inspect(lambert(200), missing=["south"])
    assert answers["whole"][0]["score"] == expected.score
    absent = ("predict", run, tmp_path / "absent", "--out", tmp_path / "o")
    refused = afrd(*absent, "--on-light-fault", "leave-out", check=1)
    assert "light south is missing for capture good; add" in refused.stderr
    assert "--missing south" in refused.stderr
    refused = afrd(*absent, "--missing", "moon", check=1)
    assert "missing light moon: this model has east, north, west, south" in refused.stderr


def test_a_capture_too_small_to_be_checked_is_named(inspector):
    with pytest.raises(ModelError, match=r"^capture p7: light check: images of shape \[4, 3, 6, 6\]; .* 8 × 8 pixels"):
        inspector.inspect(np.zeros((4, 3, 6, 6), np.uint8), "p7")


DARK, BRIGHT = LightFault(1, "dark"), LightFault(2, "overexposed")
SWAPPED, EITHER = LightFault(0, "swapped", 2), LightFault(0, "unlike", 1)
TWO_UNLIKE = (LightFault(0, "unlike"), LightFault(3, "unlike"))


@pytest.mark.parametrize(
    ("faults", "missing", "left_out", "leave_out"),
    [
        ((), (), (), (True, True)),
        ((), (2,), (2,), (True, True)),
        ((DARK,), (), (1,), (True, True)),
        ((LightFault(3, "unlike"),), (), (3,), (True, True)),
        ((DARK, LightFault(1, "unlike")), (), (1,), (True, True)),
        ((DARK,), (2,), (2,), (False, False)),
        ((DARK, BRIGHT), (), (), (False, False)),
        ((SWAPPED,), (), (), (False, False)),
        ((EITHER,), (), (), (False, False)),
        (TWO_UNLIKE, (), (), (False, True)),
        ((DARK, *TWO_UNLIKE), (), (1,), (False, True)),
    ],
)
def test_what_a_fault_means_for_the_verdict(faults, missing, left_out, leave_out):
    strict = trust(faults, missing, range(4), "reject")
    assert (strict.left_out, strict.may_be_good, strict.may_be_anomalous) == (left_out, not faults, not faults)
    lenient = trust(faults, missing, range(4), "leave-out")
    assert (lenient.left_out, (lenient.may_be_good, lenient.may_be_anomalous)) == (left_out, leave_out)
    if faults:  # an artefact cannot do without a light
        assert not trust(faults, (), (), "leave-out").may_be_good


def test_words_name_the_lights_and_the_mend():
    names = ("top", "left", "right", "bottom")

    def said(*faults: LightFault, opposite=((0, 3), (1, 2))) -> tuple[str, ...]:
        return light_faults_in_words(faults, names, opposite)

    assert said(DARK)[0].startswith("light left: dark, as if it were not lit; check ")
    assert said(BRIGHT)[0].startswith("light right: overexposed, ")
    assert said(LightFault(2, "unlike"))[0].startswith("light right: unlike training; check ")
    assert said(EITHER)[0].startswith("light top or left: one is unlike ")
    (one_pair,) = said(LightFault(1, "swapped", 2))
    assert one_pair.startswith("lights left and right: swapped; exch")
    *pairs, inverted = said(LightFault(0, "swapped", 3), LightFault(1, "swapped", 2))
    assert len(pairs) == 2
    assert inverted.startswith("all opposite lights are exchanged at once: the part may as well be inverted")
    assert len(said(LightFault(0, "swapped", 1), opposite=())) == 1

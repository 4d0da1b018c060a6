import json
import re
import shutil
import sys
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from typer import Typer
from typer.testing import CliRunner

import afrd
from afrd.capture import Capture, LightRig
from afrd.checkpoint import load_model
from afrd.cli.export import export
from afrd.errors import DatasetError, MissingExtraError, ModelError, RunError
from afrd.export import TOLERANCES, Tolerance, export_run
from afrd.inspector import Inspector


def check(run, path, captures, tolerance: float) -> None:
    """The artefact against a plain forward pass of the model, in a batch of three."""
    images = np.stack([capture.images for capture in captures])
    with torch.inference_mode():
        expected = load_model(run)[0](torch.from_numpy(images))
    answer = Inspector.load(path)._runtime.run(images)
    extent = float(np.ptp(expected.anomaly_map.numpy()))
    np.testing.assert_allclose(answer.anomaly_map, expected.anomaly_map, atol=tolerance * extent)
    np.testing.assert_allclose(answer.score, expected.score, atol=tolerance * extent)
    np.testing.assert_allclose(answer.light_weights, expected.light_weights, atol=max(tolerance, 1e-4))


@pytest.mark.parametrize(
    ("fusion", "to"),
    [
        ("attention", "onnx"),
        ("attention", "torch"),
        *(("joint", to) for to in ("onnx", "openvino", "torch")),
        ("attention", "openvino"),
        *(
            pytest.param(fusion, "openvino", marks=pytest.mark.slow)
            for fusion in ("mean", "single:1", "paper-attention")
        ),
    ],
)
def test_fp32_computes_the_same(trained, exported, labelled, fusion, to):
    run, report = trained(fusion), exported(fusion, to)
    out = report.files[-1]
    assert not report.comparison.failures
    assert report.comparison.captures == 16
    assert report.comparison.auroc is not None
    check(run, out, labelled[6:9], 1e-4)
    assert set(out.parent.iterdir()) == set(report.files)
    assert report.bytes == sum(path.stat().st_size for path in report.files)

    inspector, eager = Inspector.load(out), Inspector.load(run)
    assert inspector.runtime == to
    assert (inspector.card, inspector.config, inspector.lights) == (eager.card, eager.config, eager.lights)
    assert inspector.threshold == eager.threshold
    one, other = eager.inspect_capture(labelled[9]), inspector.inspect_capture(labelled[9])
    np.testing.assert_allclose(one.anomaly_map, other.anomaly_map, atol=1e-4)
    assert one.anomalous == other.anomalous


@pytest.mark.parametrize("to", ["onnx", "openvino"])
def test_light_faults_are_the_runs(trained, exported, labelled, to):
    run, path = Inspector.load(trained("joint")), exported("joint", to).files[-1]
    artefact, lenient = Inspector.load(path), Inspector.load(path, on_light_fault="leave-out")
    assert artefact.on_light_fault == "reject"
    for capture in list(labelled)[::5]:
        dead = capture.images * (np.arange(6) != 3)[:, None, None, None].astype(np.uint8)
        for images in (capture.images, dead, capture.images[[0, 1, 4, 3, 2, 5]]):
            one, other = run.inspect(images), artefact.inspect(images)
            assert (one.verdict, one.light_notes) == (other.verdict, other.light_notes)
        assert lenient.inspect(dead).verdict == "light fault"  # its graph reads every light


def test_resizing_and_sixteen_bits_are_in_the_graph(trained, other_captures, tmp_path):
    out = tmp_path / "a.xml"  # OpenVINO reads the same ONNX graph
    export_run(trained(), other_captures, out, to="openvino")
    check(trained(), out, other_captures[:3], 1e-4)
    capture = other_captures[0]
    inspector = Inspector.load(out)
    assert inspector.inspect_capture(capture).anomaly_map.shape == (100, 80)
    as_uint8 = (capture.images // 257).astype(np.uint8)
    with pytest.raises(ModelError, match="c0: images are uint8 of 80×100; this artefact was exported for uint16"):
        inspector.inspect(as_uint8, "c0")
    with pytest.raises(ModelError, match=r"uint16 of 80×96; this artefact .* uint16 of 80×100: export it again"):
        inspector.inspect_capture(replace(capture, images=capture.images[:, :, :96]))
    with pytest.raises(ModelError, match=r"shape \[5, 3, 100, 80\]; expected \[6"):
        inspector.inspect(capture.images[:5])


@pytest.mark.slow
@pytest.mark.parametrize("to", ["onnx", "openvino"])
def test_fp16_halves_the_file_and_keeps_the_answer(trained, exported, good, to):
    full, half = (exported("attention", to, precision) for precision in ("fp32", "fp16"))
    assert half.bytes < 0.6 * full.bytes
    check(trained(), half.files[-1], good[:3], 1e-2)


@pytest.mark.parametrize("to", ["onnx", "openvino"])
def test_int8_is_refused_for_the_joint_model(trained, good, tmp_path, to):
    out = tmp_path / {"onnx": "joint.onnx", "openvino": "joint.xml"}[to]
    with pytest.raises(ModelError, match=r"precision int8: .* is a joint model"):
        export_run(trained("joint"), good, out, to=to, precision="int8")
    assert not any(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("to", ["onnx", "openvino"])
def test_int8_is_smaller_and_near(trained, exported, good, to):
    report = exported("attention", to, "int8")
    assert report.bytes < 0.4 * exported("attention", to).bytes
    assert report.comparison.score > 1e-5  # it is not the fp32 model under another name
    assert report.comparison.score <= 0.1
    check(trained(), report.files[-1], good[:3], 0.25)


def test_the_card_in_an_onnx_file_says_what_a_station_needs(exported):
    [path] = exported("attention", "onnx").files
    model = onnx.load(path)
    card = json.loads({p.key: p.value for p in model.metadata_props}["afrd"])
    assert card["format"] == 1
    assert card["afrd_version"] == afrd.__version__
    assert card["input"] == {"channels": 3, "height": 64, "width": 64, "dtype": "uint8"}
    assert card["model"]["lights"]["names"][5] == "light_box"
    assert card["model"]["lights"]["directions"] is None or card["model"]["lights"]["directions"][5] is None
    assert {"threshold", "fusion", "category", "false_alarm_rate", "image_size", "config"} <= card["model"].keys()
    shapes = {
        value.name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    assert shapes == {
        "images": ["batch", 6, 3, 64, 64],
        "anomaly_map": ["batch", 64, 64],
        "score": ["batch"],
        "light_weights": ["batch", 3, 6],
    }
    assert sys.prefix.encode() not in path.read_bytes()  # stack traces of where it was exported


@pytest.mark.slow
def test_an_artefact_that_answers_otherwise_is_not_written(trained, exported, good, tmp_path, monkeypatch):
    out = tmp_path / "a.xml"
    for file in exported("attention", "openvino").files:
        shutil.copy(file, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setitem(TOLERANCES, "fp32", Tolerance(map=0, score=1, weights=1, margin=0, auroc=1))
    with pytest.raises(ModelError, match=r"a\.xml: not written.*maps differ by .*at most 0 is allowed"):
        export_run(trained("mean"), good, out, to="openvino")
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def relabelled(captures, anomalous):
    return [Capture(c.id, c.images, c.lights, anomalous) for c in captures]


def test_int8_is_calibrated_with_enough_good_captures_only(trained, good, labelled, tmp_path):
    def attempt(captures):
        export_run(trained(), captures, tmp_path / "a.xml", to="openvino", precision="int8", compare_on=good[:1])

    with pytest.raises(DatasetError, match="9 captures to calibrate int8 with; at least 10"):
        attempt(good[:9])
    with pytest.raises(DatasetError, match="capture 008: anomalous, so int8"):
        attempt(labelled)
    with pytest.raises(DatasetError, match="capture 000: without a label, so int8"):
        attempt(relabelled(good, None))
    many = [good[i % 12] for i in range(64)]
    many[1] = Capture("other", many[1].images.astype(np.uint16) * 257, good.lights, False)
    with pytest.raises(DatasetError, match="capture other: uint16 of 64×64 in colour, others are uint8"):
        attempt(many)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_exported(trained, good, other_captures, tmp_path, monkeypatch):
    def attempt(says, error, run=None, captures=good, out="a.onnx", to="onnx", **options):
        with pytest.raises(error, match=says):
            export_run(run or trained(), captures, tmp_path / out, to=to, **options)

    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    (unfinished / "run.yaml").write_text((trained() / "run.yaml").read_text())
    attempt("unfinished: this run is not finished; continue it with afrd train", RunError, run=unfinished)
    attempt(r"no trained model here", RunError, run=tmp_path / "nothing")
    attempt(r"a\.bin: an artefact for openvino ends in \.xml; name it .*a\.xml", ModelError, out="a.bin", to="openvino")
    attempt("target 'tensorrt': unknown; choose one of onnx, openvino, torch", ModelError, to="tensorrt")
    attempt("precision int8: a torch program", ModelError, out="a.pt2", to="torch", precision="int8")
    attempt("no captures; export needs some", DatasetError, captures=[])
    mixed = [good[0], *other_captures]
    attempt("capture c0: uint16 of 80×100 in colour, others are uint8 of 64×64", DatasetError, captures=mixed)
    grey = [good[0], Capture("g", good[0].images[:, :1], good.lights)]
    attempt("capture g: uint8 of 64×64 in grey, others are uint8 of 64×64 in colour", DatasetError, captures=grey)
    names = good.lights.names
    other = [Capture("x", good[0].images, LightRig((names[1], names[0], *names[2:])))]
    attempt("capture x: the lights are not the model's", DatasetError, captures=other)
    monkeypatch.setitem(sys.modules, "nncf", None)
    attempt(re.escape("nncf is not installed: pip install 'afrd[export]'"), MissingExtraError, precision="int8")
    assert [path.name for path in tmp_path.iterdir()] == ["unfinished"]


def test_the_command_prints_the_comparison(trained, tiny, tmp_path):
    app = Typer()
    app.command()(export)
    command = [trained(), tiny, "--category", "Confetto", "--to", "onnx", "--out", tmp_path / "a.onnx"]
    result = CliRunner().invoke(app, [*map(str, command)])
    assert result.exit_code == 0, result.output
    assert "compared on 16 captures" in result.stdout
    assert "verdicts 0 of 16 changed" in result.stdout
    assert re.search(r"I-AUROC  0\.\d{4} → 0\.\d{4} \(at most 0\.0156 lower allowed\)", result.stdout)
    assert "[B, 6, 3, 64, 64] uint8" in result.stdout

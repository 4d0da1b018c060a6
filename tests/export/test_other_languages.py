"""The examples in C++ and C#, compiled and run: the verdicts of Python, from the card in the file."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

import csharp
from afrd.errors import ModelError
from afrd.export.graph import IR_VERSION, OPSET, require_promised
from afrd.inspector import Inspector

EXAMPLES = Path(__file__).parents[2] / "examples"
GERMAN = {"LC_ALL": "de_DE.UTF-8"}  # where numbers have a comma; the programs write a point
Program = Callable[..., "subprocess.CompletedProcess[str]"]


def in_cpp(folder: Path, library: Path) -> Program:
    if shutil.which("g++") is None:
        pytest.skip("no C++ compiler")
    out = folder / "inspect"
    for name in ("libonnxruntime.so", "libonnxruntime.so.1"):  # as an installed library is named
        (folder / name).symlink_to(library)
    link = [f"-L{folder}", "-lonnxruntime", f"-Wl,-rpath,{folder}"]
    source = [str(EXAMPLES / "cpp/inspect.cpp"), "-I", str(EXAMPLES / "cpp/minimal")]
    done = subprocess.run(["g++", "-std=c++17", "-Wall", "-Werror", *source, *link, "-o", out], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return lambda *given: _run(out, *given, env={**os.environ, **GERMAN})


def in_csharp(folder: Path, library: Path) -> Program:
    if why := csharp.missing():
        pytest.skip(why)
    env = csharp.build(EXAMPLES / "csharp/Inspect.cs", folder, library)
    return lambda *given: _run("mono", folder / "Inspect.exe", *given, env={**env, **GERMAN})


def _run(*command: object, env: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*map(str, command)], capture_output=True, text=True, env=env)


@pytest.fixture(scope="module", params=[in_cpp, in_csharp], ids=["cpp", "csharp"])
def program(request, tmp_path_factory) -> Program:
    (library,) = (Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so.*")
    return request.param(tmp_path_factory.mktemp("program"), library)


@pytest.fixture
def artefact(exported):
    (path,) = exported("attention", "onnx").files
    return path


def test_it_gives_the_verdicts_of_python(program, artefact, labelled, tmp_path):
    inspector = Inspector.load(artefact, check_lights=False)
    expected, files = [], []
    for capture in labelled:
        files.append(tmp_path / f"{capture.id}.raw")
        files[-1].write_bytes(capture.images.tobytes())
        expected.append(inspector.inspect_capture(capture))
    done = program(artefact, *files)
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == [one.verdict for one in expected]
    assert {row[0] for row in rows} == {"good", "anomalous"}
    assert [row[3] for row in rows] == [str(file) for file in files]
    np.testing.assert_allclose([float(row[1]) for row in rows], [one.score for one in expected], rtol=1e-6)
    np.testing.assert_allclose([float(row[2]) for row in rows], inspector.threshold, rtol=1e-8)


def test_sixteen_bits_too(program, artefact, tmp_path):
    """A graph whose score is the mean of its pixels."""
    card = json.loads(next(p.value for p in onnx.load(artefact).metadata_props if p.key == "afrd"))
    card["input"] |= {"dtype": "uint16", "height": 3, "width": 5, "channels": 1}
    card["model"]["threshold"] = 30000.25
    card["model"]["imaging"] = {"pixels": {"bits": 16, "black": 0, "transfer": "srgb"}, "motion": None, "tiles": False}
    shape = (1, len(card["model"]["lights"]["names"]), 1, 3, 5)
    nodes = [
        helper.make_node("Cast", ["images"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["values", "axes"], ["score"], keepdims=0),
    ]
    images = helper.make_tensor_value_info("images", TensorProto.UINT16, shape)
    score = helper.make_tensor_value_info("score", TensorProto.FLOAT, [1])
    axes = helper.make_tensor("axes", TensorProto.INT64, [4], [1, 2, 3, 4])
    model = helper.make_model(
        helper.make_graph(nodes, "mean", [images], [score], [axes]),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    helper.set_model_props(model, {"afrd": json.dumps(card)})
    onnx.save(model, tmp_path / "mean.onnx")
    for least, verdict in ((20000, "anomalous"), (0, "good")):
        pixels = np.random.default_rng(7).integers(least, 50000, shape).astype("<u2")
        (tmp_path / "a.raw").write_bytes(pixels.tobytes())
        done = program(tmp_path / "mean.onnx", tmp_path / "a.raw")
        said, found, threshold, _ = done.stdout.split("\t")
        assert float(found) == pytest.approx(pixels.mean(), rel=1e-6)
        assert (said, float(threshold)) == (verdict, 30000.25), found


def test_what_it_cannot_judge_is_an_error_and_no_verdict(program, artefact, tmp_path):
    short = tmp_path / "short.raw"
    short.write_bytes(b"1" * 100)
    done = program(artefact, short)
    assert (done.returncode, done.stdout) == (1, "") and "short.raw: 100 bytes; expected 73728" in done.stderr
    model = onnx.load(artefact)
    card = next(p for p in model.metadata_props if p.key == "afrd")
    card.value = card.value.replace('"transfer":"srgb"', '"transfer":"linear"').replace('"transfer": "srgb"', "x")
    onnx.save(model, tmp_path / "linear.onnx")
    assert "imaging (docs/imaging.md) that only afrd" in program(tmp_path / "linear.onnx", short).stderr
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "bare.onnx")
    assert "carries no afrd card" in program(tmp_path / "bare.onnx", short).stderr
    assert program(tmp_path / "gone.onnx", short).returncode == 1


@pytest.mark.parametrize(
    ("fusion", "precision"),
    [
        ("attention", "fp32"),
        ("attention", "fp16"),
        pytest.param("attention", "int8", marks=pytest.mark.slow),
        pytest.param("joint", "fp32", marks=pytest.mark.slow),
    ],
)
def test_opset_and_ir_version_are_those_that_stations_were_promised(exported, fusion, precision):
    model = onnx.load(exported(fusion, "onnx", precision).files[0])
    assert model.ir_version == IR_VERSION == 10
    assert {(entry.domain, entry.version) for entry in model.opset_import} == {("", OPSET)} and OPSET == 18
    onnx.checker.check_model(model)


@pytest.mark.parametrize(("field", "said"), [("opset", r"opsets \{'': 21\}"), ("ir", "IR version 11")])
def test_another_opset_or_ir_version_is_never_written(exported, field, said):
    model = onnx.load(exported("attention", "onnx").files[0])
    require_promised(model)
    if field == "opset":
        model.opset_import[0].version = 21
    else:
        model.ir_version = 11
    with pytest.raises(ModelError, match=said):
        require_promised(model)

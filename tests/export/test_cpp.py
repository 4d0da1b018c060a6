"""The C++ example, compiled and run: the verdicts of Python, from the card in the file; and what a file promises."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from afrd.export.graph import IR_VERSION, OPSET
from afrd.inspector import Inspector

EXAMPLE = Path(__file__).parents[2] / "examples" / "cpp"


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    if shutil.which("g++") is None:
        pytest.skip("no C++ compiler")
    (library,) = (Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so.*")
    folder = tmp_path_factory.mktemp("cpp")
    out = folder / "inspect"
    for name in ("libonnxruntime.so", "libonnxruntime.so.1"):  # as an installed library is named
        (folder / name).symlink_to(library)
    link = [f"-L{folder}", "-lonnxruntime", f"-Wl,-rpath,{folder}"]
    source = [str(EXAMPLE / "inspect.cpp"), "-I", str(EXAMPLE / "minimal")]
    done = subprocess.run(["g++", "-std=c++17", "-Wall", "-Werror", *source, *link, "-o", out], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return out


@pytest.fixture
def artefact(exported):
    (path,) = exported("attention", "onnx").files
    return path


def run(*command):
    return subprocess.run([*map(str, command)], capture_output=True, text=True)


def test_it_gives_the_verdicts_of_python(program, artefact, labelled, tmp_path):
    inspector = Inspector.load(artefact, check_lights=False)
    expected, files = [], []
    for capture in labelled:
        files.append(tmp_path / f"{capture.id}.raw")
        files[-1].write_bytes(capture.images.tobytes())
        expected.append(inspector.inspect_capture(capture))
    done = run(program, artefact, *files)
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == [one.verdict for one in expected]
    assert {"good", "anomalous"} >= {row[0] for row in rows} and len(rows) == len(labelled)
    np.testing.assert_allclose([float(row[1]) for row in rows], [one.score for one in expected], rtol=1e-6)
    np.testing.assert_allclose([float(row[2]) for row in rows], inspector.threshold, rtol=1e-8)


def test_what_it_cannot_judge_is_an_error_and_no_verdict(program, artefact, tmp_path):
    short = tmp_path / "short.raw"
    short.write_bytes(b"1" * 100)
    done = run(program, artefact, short)
    assert (done.returncode, done.stdout) == (1, "") and "short.raw: 100 bytes; expected 73728" in done.stderr
    model = onnx.load(artefact)
    card = next(p for p in model.metadata_props if p.key == "afrd")
    card.value = card.value.replace('"transfer":"srgb"', '"transfer":"linear"').replace('"transfer": "srgb"', "x")
    onnx.save(model, tmp_path / "linear.onnx")
    assert "imaging (docs/imaging.md) that only afrd" in run(program, tmp_path / "linear.onnx", short).stderr
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "bare.onnx")
    assert "carries no afrd card" in run(program, tmp_path / "bare.onnx", short).stderr
    assert run(program, tmp_path / "gone.onnx", short).returncode == 1


def test_opset_and_ir_version_are_those_that_stations_were_promised(artefact):
    model = onnx.load(artefact)
    assert model.ir_version == IR_VERSION == 10
    assert {(entry.domain, entry.version) for entry in model.opset_import} == {("", OPSET)} and OPSET == 18
    onnx.checker.check_model(model)

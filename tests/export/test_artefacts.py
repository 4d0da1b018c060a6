"""Loading artefacts: where torch is not installed, and files that are damaged, foreign or too new."""

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import onnx
import pytest
import torch
from torch.nn.functional import interpolate

from afrd.errors import MissingExtraError, ModelError, RunError
from afrd.imaging.coarse_map import resize_map
from afrd.inspector import Inspector
from afrd.runtimes import SUFFIXES


@pytest.fixture(scope="module")
def made(exported, tmp_path_factory):
    folder = tmp_path_factory.mktemp("artefacts")
    for to in SUFFIXES:
        for file in exported("attention", to).files:
            shutil.copy(file, folder)
    return folder


@pytest.fixture
def artefacts(made, tmp_path):
    """Copies to spoil."""
    return shutil.copytree(made, tmp_path / "copies")


# and without fcntl, which Windows has not
WITHOUT_TORCH = """
import sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision", "timm", "safetensors", "lightning_fabric", "fcntl"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, NoTorch())
import numpy as np
import afrd
inspection = afrd.Inspector.load(sys.argv[1]).inspect(np.load(sys.argv[2]), "part")
print(inspection.score, inspection.anomalous, *inspection.anomaly_map.shape)
"""


@pytest.mark.parametrize("name", ["a.onnx", "a.xml"])
def test_a_station_needs_no_torch(trained, made, good, tmp_path, name):
    np.save(tmp_path / "images.npy", good[3].images)
    command = [sys.executable, "-c", WITHOUT_TORCH, made / name, tmp_path / "images.npy"]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=True)
    score, anomalous, *size = done.stdout.split()
    expected = Inspector.load(trained()).inspect_capture(good[3])
    assert float(score) == pytest.approx(expected.score, rel=1e-4)
    assert (anomalous, size) == (str(expected.anomalous), ["64", "64"])


def test_the_commands_of_a_station_need_no_torch(made, tiny, tmp_path):
    blocked = WITHOUT_TORCH.partition("import numpy")[0] + "from afrd.cli import main\nmain()"
    captures = tiny / "Confetto" / "test_public"

    def afrd(*arguments):
        return subprocess.run([sys.executable, "-c", blocked, *map(str, arguments)], capture_output=True, text=True)

    done = afrd("predict", made / "a.xml", captures, "--out", tmp_path / "out", "--runtime", "openvino")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "out").glob("*_overlay.png"))) == 16
    done = afrd("evaluate", made / "a.onnx", tiny, "--category", "Confetto", "--json", tmp_path / "e.json")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "e.json").read_text())["n_bad"] == 8
    refused = afrd("predict", made / "a.xml", captures, "--out", tmp_path / "other", "--runtime", "onnx")
    assert refused.returncode == 1
    assert "is for the runtime openvino, not onnx" in refused.stderr
    training = afrd("train", tiny, "--category", "Confetto", "--out", tmp_path / "run")
    assert training.returncode == 1
    assert "is not installed: pip install 'afrd[train]'" in training.stderr
    assert "Traceback" not in training.stderr


def test_exporting_without_its_extra_says_so(trained, tiny, tmp_path):
    blocked = "import sys; sys.modules['onnx'] = None\nfrom afrd.cli import main\nmain()"
    command = ["export", trained(), tiny, "--category", "Confetto", "--to", "openvino", "--out", tmp_path / "a.xml"]
    done = subprocess.run([sys.executable, "-c", blocked, *map(str, command)], capture_output=True, text=True)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "onnx is not installed: pip install 'afrd[export]'" in " ".join(done.stderr.split())


def test_a_torch_program_opens_on_a_named_device(made, good):
    elsewhere, usual = Inspector.load(made / "a.pt2", "cpu:0"), Inspector.load(made / "a.pt2")
    assert elsewhere.inspect_capture(good[0]).score == usual.inspect_capture(good[0]).score


@pytest.mark.parametrize("name", ["run", "a.pt2"])
def test_what_needs_torch_says_so_where_there_is_none(trained, made, tmp_path, name):
    path = trained() if name == "run" else made / name
    command = [sys.executable, "-c", WITHOUT_TORCH, path, "unused"]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    assert re.search(r"ModelError: .*needs torch, which is not installed: .*--to openvino", done.stderr)


@pytest.mark.parametrize(("name", "package"), [("a.onnx", "onnxruntime"), ("a.xml", "openvino")])
def test_a_runtime_that_is_not_installed(made, monkeypatch, name, package):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(
        sys.modules, f"afrd.runtimes.{name.replace('a.', '').replace('xml', 'openvino')}_runtime", False
    )
    with pytest.raises(MissingExtraError, match=re.escape(f"{package} is not installed: pip install 'afrd[runtime]'")):
        Inspector.load(made / name)


@pytest.mark.parametrize("name", ["a.onnx", "a.xml", "a.bin", "a.pt2"])
@pytest.mark.parametrize("spoil", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"not a model"])
def test_damaged_files(artefacts, name, spoil):
    path = artefacts / name
    path.write_bytes(spoil(path.read_bytes()))
    loaded = artefacts / name.replace(".bin", ".xml")
    with pytest.raises(RunError, match=rf"{re.escape(name)}: (damaged|carries no afrd card)"):
        Inspector.load(loaded)


def test_files_of_two_exports_are_not_mixed_up(artefacts):
    weights = bytearray((artefacts / "a.bin").read_bytes())
    weights[len(weights) // 2] ^= 1
    (artefacts / "a.bin").write_bytes(weights)
    with pytest.raises(RunError, match=r"a\.bin: damaged, or of another export than a\.xml"):
        Inspector.load(artefacts / "a.xml")
    (artefacts / "a.bin").unlink()
    with pytest.raises(RunError, match=r"a\.xml: a\.bin is not beside it; copy both files"):
        Inspector.load(artefacts / "a.xml")


def change_card(path, change) -> None:
    model = onnx.load(path)
    [entry] = [p for p in model.metadata_props if p.key == "afrd"]
    entry.value = change(entry.value)
    onnx.save(model, path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.replace('"format":1', '"format":2', 1), "artefact format 2, this afrd reads 1; update afrd"),
        (lambda t: t[:100], "its afrd card is damaged"),
        (lambda t: "[]", "artefact format None, this afrd reads 1; export it again"),
        (lambda t: t.replace('"uint8"', '"float32"'), "its afrd card: input.dtype: .*export it again"),
        (lambda t: json.dumps(json.loads(t) | {"colour": 1}), "its afrd card: colour: Extra inputs"),
        (lambda t: "", "carries no afrd card; pass a file that afrd export wrote"),
    ],
)
def test_cards_that_this_version_cannot_read(artefacts, change, says):
    change_card(artefacts / "a.onnx", change)
    with pytest.raises(RunError, match=rf"a\.onnx: {says}"):
        Inspector.load(artefacts / "a.onnx")


def test_a_newer_openvino_artefact(artefacts):
    text = (artefacts / "a.xml").read_text()
    newer = text.replace("&quot;format&quot;:1", "&quot;format&quot;:7", 1)
    assert newer != text
    (artefacts / "a.xml").write_text(newer)
    with pytest.raises(RunError, match=r"a\.xml: artefact format 7, this afrd reads 1; update afrd"):
        Inspector.load(artefacts / "a.xml")


def test_paths_that_are_no_model(trained, made, tmp_path):
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(RunError, match=r"a\.txt: neither a run folder nor an artefact"):
        Inspector.load(tmp_path / "a.txt")
    with pytest.raises(RunError, match=r"b\.onnx: no such run folder or artefact"):
        Inspector.load(tmp_path / "b.onnx")
    with pytest.raises(ModelError, match=r"a\.onnx: is for the runtime onnx, not openvino"):
        Inspector.load(made / "a.onnx", runtime="openvino")
    with pytest.raises(ModelError, match="is for the runtime torch, not onnx"):
        Inspector.load(trained(), runtime="onnx")
    with pytest.raises(ModelError, match="runtime 'tensorrt': unknown; choose one of auto, onnx, openvino, torch"):
        Inspector.load(made / "a.onnx", runtime="tensorrt")


@pytest.mark.parametrize(("name", "by"), [("a.onnx", "ONNX Runtime"), ("a.xml", "OpenVINO")])
def test_a_device_that_is_not_there(made, name, by):
    with pytest.raises(ModelError, match=f"device 'bogus': not usable by {by} here; use one of cpu"):
        Inspector.load(made / name, device="bogus")


def test_fixed_shapes_as_an_npu_wants_them_give_the_same_answer(made, labelled):
    openvino = pytest.importorskip("openvino")
    from afrd.runtimes import openvino_runtime as ours

    card = ours.parse_card(ours._card(made / "a.xml"), made / "a.xml")
    model = openvino.Core().read_model(made / "a.xml")
    assert model.is_dynamic()
    ours.fix_shapes(model, card)
    assert not model.is_dynamic() and list(model.input().shape) == [1, 6, 3, 64, 64]
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    fixed = ours.OpenVinoRuntime(openvino.Core().compile_model(model, "CPU", settings), card)
    for capture in labelled[6:10]:
        images = capture.images[None]
        one, other = fixed.run(images), ours.open_runtime(made / "a.xml", "cpu").run(images)
        for mine, theirs in zip(one, other, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [(64, 64), (128, 192), (100, 77), (32, 32), (33, 50), (13, 7), (1, 1), (640, 480)])
def test_maps_are_resized_as_torch_does(size):
    anomaly_map = np.random.default_rng(0).random((64, 64), np.float32)
    expected = interpolate(torch.from_numpy(anomaly_map)[None, None], size, mode="bilinear", align_corners=False)
    np.testing.assert_allclose(resize_map(anomaly_map, size), expected[0, 0], atol=2e-5)

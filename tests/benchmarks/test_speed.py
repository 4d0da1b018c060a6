"""The speed figures: every script runs and says what its page reads; FLOP, ratios and tables against known values."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # benchmarks are no package that is installed
pytest.importorskip("openvino", reason="the exported models are timed too")

from benchmarks.speed import measure, table  # noqa: E402
from benchmarks.speed.targets import TARGETS  # noqa: E402

SPREAD = {"p50", "p95", "min", "max", "repeats"}


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """name → its result, of tiny sizes; exported models are shared."""
    folder, results = tmp_path_factory.mktemp("artefacts"), {}

    def run(name: str) -> dict:
        if name not in results:
            command = [sys.executable, "-m", f"benchmarks.speed.{name}", "--quick", "--artefacts", str(folder)]
            done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
            results[name] = json.loads(done.stdout)
        return results[name]

    return run


def spreads(value) -> list[dict]:
    """Every spread of seconds anywhere in a result."""
    if not isinstance(value, dict):
        return []
    return [value] if "p50" in value else [s for v in value.values() for s in spreads(v)]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["inference", "training", "growth", "start", "peers"])
def test_a_script_says_how_long_with_what_and_beside_which_peak(quick, name):
    if name == "peers":
        pytest.importorskip("anomalib", reason="what is compared with")
    result = quick(name)
    assert result["quick"] and result["threads"] >= 1 and result["versions"]["torch"]
    assert min(result["matrix_peak_gflops"].values()) > 1
    found = spreads(result)
    assert len(found) > 3
    assert all(set(s) == SPREAD and 0 < s["min"] <= s["p50"] <= s["p95"] <= s["max"] for s in found)
    lines = list(table.BLOCKS[name][1](result))
    assert sum(line.startswith("|") for line in lines) > 3


@pytest.mark.slow
def test_flop_are_the_papers(quick):
    flop = {name: value / 1e9 for name, value in quick("inference")["flop"]["wide_resnet50_2"].items()}
    assert flop["teacher alone"] == pytest.approx(6 * 24.0, rel=1e-3)
    assert flop["mean"] == pytest.approx(6 * 24.0 + 14.6 + 22.3, rel=2e-3)
    assert flop["mean"] < flop["attention"] < 1.001 * flop["mean"]


@pytest.mark.slow
def test_a_runtime_takes_less_memory_than_torch(quick):
    found = quick("inference")["inference"]["efficientnet_lite0"]["1"]
    assert found["mean, OpenVINO fp32"]["peak_memory_mb"] < found["mean, eager"]["peak_memory_mb"] / 2
    assert found["mean, eager"]["peak_memory_mb"] > quick("inference")["libraries_memory_mb"]


@pytest.mark.slow
def test_shares_are_of_the_whole_and_nothing_is_left_to_fold(quick):
    shares = quick("inference")["shares_of_eager"]["efficientnet_lite0"]["mean"]
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["convolutions and products"] > 0
    assert "batch norms" not in shares


def test_the_floor_is_the_arithmetic_at_the_speed_of_the_product():
    from benchmarks.speed.inference import PRODUCT, figures

    seconds = {"product": [1.0, 2.0], "mean, eager": [4.0, 4.0], "mean, bare convolutions": [2.0, 4.0]}
    found = figures(seconds, 3, {"mean": 2 * PRODUCT**3})
    assert found["mean, eager"]["floor_seconds"] == 4.5  # 3 and 6
    assert found["mean, eager"]["times_floor"] == pytest.approx((4 / 3 + 4 / 6) / 2)
    assert found["mean, eager"]["times_bare"] == 1.5
    assert found["mean, bare convolutions"]["faster_than_eager"] == 1.5


def test_bare_convolutions_are_all_of_the_models_arithmetic():
    import torch
    from benchmarks.speed.floor import bare, flop, random_images
    from benchmarks.speed.models import build
    from torch.utils.flop_counter import FlopCounterMode

    for fusion in ("attention", "joint"):
        model = build("efficientnet_lite0", fusion, 2, 64)
        images = random_images(model, 2)
        run = bare(model, images)
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            run.__wrapped__()
        assert counter.get_total_flops() == flop(model, images)


def test_contenders_take_turns():
    order = []
    taken = measure.in_turn({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 2)
    assert order == ["a", "b"] * 3  # the first round does not count
    assert [len(seconds) for seconds in taken.values()] == [2, 2]


def test_memory_is_of_the_process_alone():
    plain = "from benchmarks.speed.measure import *; alone(None)"
    with_block = "from benchmarks.speed.measure import *; alone(lambda: bytearray(300_000_000).reverse)"
    here = bytearray(300_000_000)  # touched, but not by the processes that are measured
    without, largest = (measure.child(["-c", code])["peak_memory_mb"] for code in (plain, with_block))
    assert without < 250
    assert 290 < largest - without < 320
    del here


def test_the_page_is_filled_between_its_markers():
    page = (ROOT / "docs" / "speed.md").read_text()
    assert set(table.BLOCKS) | {"targets"} == {match[2] for match in table._BLOCK.finditer(page)}
    empty = table.written(page, {})
    assert empty.count("not measured yet") == len(TARGETS)
    assert table.written(empty, {}) == empty
    start = {
        "threads": 2,
        "processor": "P",
        "versions": {"torch": "1"},
        "matrix_peak_gflops": {"before": 100.4, "after": 99.6},
        "start": {
            name: {"seconds": {"p50": p50, "p95": 2 * p50}, "peak_memory_mb": 1234.5}
            for name, p50 in (
                ("afrd --help", 0.25),
                ("first verdict, joint, ONNX Runtime fp32", 3.5),
                ("first verdict, joint, OpenVINO fp32", 1.0),
            )
        },
    }
    filled = table.written(page, {"start": start})
    assert "| afrd --help | 250 ms / 500 ms | 1,234 MB |" in filled
    assert "| `afrd --help`, seconds | ≤ 0.5 | 0.25 | yes |" in filled
    assert "| first verdict, `joint`, ONNX Runtime fp32, seconds | ≤ 3 | 3.50 | **no** |" in filled
    assert filled.split("<!--")[0] == page.split("<!--")[0]

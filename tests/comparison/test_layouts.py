"""`afrd benchmark` on each public layout: the command that is typed, on the miniature that other commands read."""

import numpy as np
import pytest

from afrd.comparison.results import read_results
from command import afrd
from layouts import write_light_folders, write_m2ad, write_mvtec_ad2, write_psad, write_real_iad_d3, write_vision


@pytest.mark.slow
@pytest.mark.parametrize(
    "write", [write_m2ad, write_psad, write_mvtec_ad2, write_real_iad_d3, write_vision, write_light_folders]
)
def test_a_public_layout_is_compared_by_the_command(tmp_path, write):
    data, out = tmp_path / "data", tmp_path / "comparison"
    written = write(data, size=64)
    data = written if write is write_real_iad_d3 else data
    suite = tmp_path / "suite.yaml"
    suite.write_text("runs:\n  - {methods: [ssim-ae], lights: [0]}\n")
    afrd("benchmark", suite, "--data", data, "--out", out, "--epochs=1", "--image-size=64", "--workers=1", check=0)
    (result,) = read_results(out).values()
    assert result["n_good"] and result["n_bad"]
    assert np.isfinite(result["image_auroc"])
    afrd("benchmark", "tables", out, check=0)
    assert result["category"] in (out / "tables.md").read_text().replace("\\_", "_")

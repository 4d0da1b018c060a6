"""In which variant Mitsuba renders, with how many samples, and which sets may go on so."""

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
import yaml

from afrd.errors import DatasetError
from afrd.render import render_dataset
from afrd.render.dataset import _claim
from afrd.render.engine import SCALAR


def test_a_set_goes_on_with_the_variant_that_it_began_with(tmp_path):
    out = tmp_path / "d"
    render_dataset(out, ["Confetto"], train=1, val=0, test=0, size=32, workers=1)
    recipe = out / "render.yaml"
    scalar = recipe.read_text()
    recipe.write_text(scalar.replace("scalar_rgb", "llvm_ad_rgb").replace("recipe: 1", "recipe: 2"))
    with pytest.raises(DatasetError, match="was rendered with --llvm: go on so"):
        render_dataset(out, ["Confetto"], train=2, val=0, test=0, size=32, workers=1)
    render_dataset(out, ["Confetto"], train=1, val=0, test=0, size=32, workers=1)  # nothing is missing
    recipe.write_text("".join(line for line in scalar.splitlines(True) if not line.startswith("variant")))
    render_dataset(out, ["Confetto"], train=2, val=0, test=0, size=32, workers=1)  # one of an earlier afrd


def test_large_sets_of_an_earlier_afrd_are_not_extended_and_recipes_differ(tmp_path):
    recipes = {}
    for size in (1023, 1024):
        out = tmp_path / str(size)
        _claim(out, 0, size, True, None, None, SCALAR, whole=False)
        recipes[size] = yaml.safe_load((out / "render.yaml").read_text())["recipe"]
    assert recipes == {1023: 1, 1024: 2}  # an earlier afrd refuses 2
    recipe = tmp_path / "1024" / "render.yaml"
    recipe.write_text(recipe.read_text().replace("recipe: 2", "recipe: 1"))
    with pytest.raises(DatasetError, match="with more samples a pixel: it can be used, not extended"):
        _claim(tmp_path / "1024", 0, 1024, True, None, None, SCALAR, whole=False)
    _claim(tmp_path / "1024", 0, 1024, True, None, None, SCALAR, whole=True)


@pytest.mark.slow
def test_the_compiled_variant_sees_the_same_part(tmp_path):
    drjit = pytest.importorskip("drjit")
    if not drjit.has_backend(drjit.JitBackend.LLVM):
        pytest.skip("LLVM's library is not installed")
    images = []
    for llvm in (False, True):
        script = (
            "from pathlib import Path\n"
            "from afrd.render import render_dataset\n"
            f"render_dataset(Path({str(tmp_path / str(llvm))!r}), ['Confetto'], train=1, val=0, test=0, size=64,\n"
            f"    workers=1, camera=False, llvm={llvm})\n"
        )
        subprocess.run([sys.executable, "-c", script], check=True)
        paths = sorted((tmp_path / str(llvm)).rglob("*_image_*.png"))
        images.append(np.stack([cv2.imread(str(path)) for path in paths]).astype(float))
    assert images[0].std() > 20
    assert np.abs(images[0] - images[1]).mean() < 2  # the noise of its samples


def test_without_llvm_it_is_named(tmp_path):
    script = (
        "from afrd.errors import DatasetError\n"
        "from afrd.render import render_dataset\n"
        "try:\n"
        f"    render_dataset({str(tmp_path / 'e')!r}, ['Confetto'], train=1, val=0, test=0, size=32, llvm=True)\n"
        "except DatasetError as error:\n"
        "    print(error)\n"
    )
    environment = os.environ | {"DRJIT_LIBLLVM_PATH": str(tmp_path / "no.so")}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    assert "LLVM's library was not found; install it (Debian: libllvm19)" in done.stdout
    assert not (tmp_path / "e").exists()

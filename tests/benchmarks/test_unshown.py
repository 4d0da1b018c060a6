"""Defects that the renderer does not have, against the same part without them."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

sys.path.insert(0, str(Path(__file__).parents[2]))  # no package that is installed

from benchmarks.unshown_defects import rendered


@pytest.mark.parametrize("kind", ["fibre", "chip"])
def test_a_defect_changes_its_mask_and_hardly_more(kind):
    (bad, mask), (good, empty) = (rendered("LicoriceSandwich", kind, 0, 0, 128, good=good) for good in (False, True))
    change = np.mean([np.abs(bad.images[k].astype(float) - good.images[k]).max(-1) for k in good.images], axis=0)
    far = ~binary_dilation(mask, iterations=6)  # as far as its shadow, and a block of the JPEG
    assert mask.any() and not empty.any()
    assert change[mask].mean() > 10 and change[far].mean() < 1

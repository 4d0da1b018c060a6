"""Views by photometric stereo in the report, where directions of the lights are known."""

import dataclasses
import math

from afrd.capture import LightRig
from afrd.evaluation.evaluate import evaluate
from afrd.evaluation.report import write_report

HALF = math.sqrt(0.5)
NOWHERE = (math.nan,) * 3
SIDES = (NOWHERE, (0, -HALF, HALF), (HALF, 0, HALF), (0, HALF, HALF), (-HALF, 0, HALF), NOWHERE)
VIEWS = ("albedo", "normals", "without highlights", "without shadows", "relief")


def test_all_views_are_in_the_report(domes, tmp_path):
    inspector, captures = domes
    for directions, shown in ((SIDES, True), (None, False)):
        rig = LightRig(captures[0].lights.names, directions)
        seen = type(captures)([dataclasses.replace(capture, lights=rig) for capture in captures[:8]])
        out = tmp_path / f"{shown}.html"
        write_report(out, evaluate(inspector, seen, resamples=50), seen, n_examples=1)
        html = out.read_text()
        assert [f"{name}, computed from its lights" in html for name in VIEWS] == [shown] * 5

"""Three minutes at twice the capacity: nothing wrong, nothing lost, memory flat."""

import io

import numpy as np
import pytest
from PIL import Image

from afrd.inspector import Inspection, Inspector
from flooding import capacity, flood
from station_process import StationProcess

SECONDS = 180


def _inspected(inspector: Inspector, part: dict[str, bytes]) -> Inspection:
    lights = [np.asarray(Image.open(io.BytesIO(content))).transpose(2, 0, 1) for content in part.values()]
    return inspector.inspect(np.stack(lights))


@pytest.mark.slow
def test_twice_the_captures_that_can_be_judged(artefact, parts, tmp_path):
    inspector = Inspector.load(artefact)
    station = StationProcess(artefact, tmp_path / "data")
    right = [_inspected(inspector, part) for part in parts]
    found = flood(station, parts, right, 2 * capacity(station, parts), SECONDS)
    station.kill()
    assert set(found["answers"]) <= {"200", "503"} and found["answers"]["200"] > 100
    assert found["wrong_answers"] == [] and found["lost_records"] == []
    assert found["memory_growth"] < 0.05, found["memory_mb"]

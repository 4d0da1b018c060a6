"""A station within a Python process: captures by `Service.inspect`."""

import numpy as np
import pytest

from afrd import Inspector
from afrd.datasets.images import decode
from afrd.station.config import StationConfig
from afrd.station.refusals import Refused
from afrd.station.service import Service


@pytest.fixture(scope="module")
def service(artefact, tmp_path_factory):
    """Two captures may wait or be judged at once."""
    service = Service(StationConfig(model=artefact, data=tmp_path_factory.mktemp("python") / "data", queue=2))
    service.start()
    yield service
    service.stop()


def test_the_answer_is_the_inspectors_and_on_record(service, artefact, parts):
    expected = Inspector.load(artefact).inspect(np.stack([decode(each, light) for light, each in parts[2].items()]))
    answer = service.inspect(parts[2], "part-2", "line 3")
    assert (answer["id"], answer["verdict"]) == ("part-2", expected.verdict)
    assert answer["score"] == pytest.approx(expected.score, rel=1e-4)
    row = service.store.find("part-2")
    assert (row.state, row.source, row.score) == ("judged", "line 3", answer["score"])
    assert service.inspect(parts[2], "part-2") == answer  # sent again
    assert service.inspect(parts[3])["id"] != "part-2"


def test_what_is_refused_leaves_its_place(service, parts):
    for _ in range(4):  # more than places
        with pytest.raises(Refused, match="top: missing") as refused:
            service.inspect({light: content for light, content in parts[0].items() if light != "top"})
        assert refused.value.status == 422
        with pytest.raises(Refused, match="other images") as refused:
            service.inspect(parts[5], "part-2")
        assert refused.value.status == 409
    assert service.refusals.newest[0].source == "python"
    assert service.inspect(parts[4])["verdict"] in ("good", "anomalous")
    assert service.line.waiting == 0

"""The API fuzzed from its own schema: whatever a client sends, no answer is an error of the server.

`python -m benchmarks.station.fuzz` sends ten thousand; here are a few hundred.
"""

import pytest

schemathesis = pytest.importorskip("schemathesis")


@pytest.mark.slow
def test_no_request_that_the_schema_allows_or_forbids_is_a_5xx(artefact, serve, parts):
    from fuzzing import fuzz

    station = serve(artefact)
    known = {f"part-{k}": parts[k] for k in range(3)}
    for id, files in known.items():
        station.post(files, id).raise_for_status()
    before = {path for path in station.data.parent.rglob("*") if "station-data" not in str(path)}
    counts, faults = fuzz(station, examples=20, seed=1, parts=known)
    assert faults == []
    assert sum(counts.values()) >= 100 and counts[200] >= 40, counts
    assert {path for path in station.data.parent.rglob("*") if "station-data" not in str(path)} == before
    station.post(parts[3], "after").raise_for_status()
    assert station.health()["queue"] == 0

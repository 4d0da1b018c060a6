"""Peers that are away or take a connection and say nothing: no verdict waits for them, and all arrives afterwards."""

import pytest

from being_away import away
from receivers import MOSQUITTO


@pytest.mark.slow
@pytest.mark.skipif(MOSQUITTO is None, reason="no mosquitto on this machine")
def test_peers_that_go_away_hang_and_come_back_get_everything_in_order(artefact, parts, tmp_path):
    found = away(artefact, parts, tmp_path, seconds=3, rate=4)
    assert found["parts"] > 8 and found["problems_at_the_end"] == []
    assert {name: (peer["missing"], peer["in_order"]) for name, peer in found["peers"].items()} == {
        name: ([], True) for name in ("webhook", "mqtt", "opcua")
    }
    assert all(spent["p99"] < 5000 for spent in found["post_ms"].values()), found  # a peer's time-out takes 10 s

"""`kill -9` under load: nothing that was answered is missing, nothing half-written is shown."""

import random

import pytest

from killing import killed_under_load


@pytest.mark.slow
def test_nothing_answered_is_lost_by_kill_9(artefact, parts, tmp_path):
    rounds = killed_under_load(artefact, parts, tmp_path / "data", kills=4, seed=random.randrange(2**32))
    assert sum(each.answered for each in rounds) > 0
    assert [each.problems for each in rounds] == [[]] * len(rounds)

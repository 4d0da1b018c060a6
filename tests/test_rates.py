from scipy.stats import binom

from afrd.rates import percent, stated_and_seen, stated_rate

CARD = {"false_alarm_rate": 0.05, "false_alarm_bound": 0.0863, "holdout_parts": 60, "tail": "conformal"}


def test_in_words():
    assert [percent(rate) for rate in (0.05, 0.0863, 1 / 7, 0.001, 1)] == ["5 %", "8.6 %", "14 %", "0.1 %", "100 %"]
    assert stated_rate(CARD) == "5 %, at most 8.6 % with 90 % confidence, from 60 parts"
    assert stated_rate(CARD | {"tail": "gpd"}).endswith("from 60 parts by the tail of their scores")
    assert stated_rate({}) is stated_and_seen({}, 3, 24) is None


def test_more_alarms_than_the_bound_allows_are_said():
    """Of 24 good captures at 8.63 %: 5 or more have probability 0.05, 4 or more 0.14."""
    for alarms in range(25):
        improbable = binom.sf(alarms - 1, 24, 0.0863) < 0.05
        assert ("more than that allows" in stated_and_seen(CARD, alarms, 24)) == improbable
    assert stated_and_seen(CARD, 0, 0) == f"False alarms stated: {stated_rate(CARD)}."

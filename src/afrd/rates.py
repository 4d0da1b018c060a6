"""Rates of false alarms in words, the same words wherever they are shown."""

from collections.abc import Mapping
from typing import Any

CHANCE = 0.05  # probability below which so many false alarms are not chance


def percent(rate: float) -> str:
    """Two digits: 0.05 is "5 %", 0.0863 "8.6 %", 0.001 "0.1 %"."""
    return f"{float(f'{100 * rate:.2g}'):g} %"


def stated_rate(card: Mapping[str, Any]) -> str | None:
    """What a model's card promises: "5 %, at most 8.6 % with 90 % confidence, from 60 parts".

    None where it promises nothing: a card that was written before bounds were, or of a method without one.
    """
    bound = card.get("false_alarm_bound")
    if bound is None:
        return None
    how = " by the tail of their scores" if card["tail"] == "gpd" else ""
    rate, parts = percent(card["false_alarm_rate"]), card["holdout_parts"]
    return f"{rate}, at most {percent(bound)} with 90 % confidence, from {parts} parts{how}"


def stated_and_seen(card: Mapping[str, Any], alarms: int, good: int) -> str | None:
    """What the card promises, and whether so many alarms on other good captures are more than that allows.

    They are where their number is improbable even at the bound. None where the card promises nothing.
    """
    stated = stated_rate(card)
    if stated is None:
        return None
    from scipy.special import betainc  # half a second, which a station's start need not wait for

    text = f"False alarms stated: {stated}."
    if alarms and betainc(alarms, good - alarms + 1, card["false_alarm_bound"]) < CHANCE:
        text += (
            f" {alarms} of {good} are more than that allows: these good parts, or how they were photographed, are not "
            "as those that set the threshold. Hold out such ones as well and train again."
        )
    return text

"""Slow changes of the rig, from the figures of each light: an EWMA control chart (Roberts 1959; Montgomery, ch. 9)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

WEIGHT = 0.1  # of the newest capture in the average
SIGMAS = 4.0  # limits; wider than the textbook's 2.7, for parts differ more than a stable process does
BASELINE = 50  # captures that say what is normal
FIGURES = {
    "brightness": "clean the light and its window; check its supply, then replace it",
    "sharpness": "clean the lens; check focus and that the camera is tight",
    "noise": "check the camera's gain, exposure and cooling",
}
"""What is charted, and what to do when it leaves its limits."""


@dataclass(frozen=True)
class Chart:
    """One figure of one light. values, average: a number a capture, oldest first. out: the average left its limits."""

    light: str
    figure: str
    values: tuple[float, ...]
    average: tuple[float, ...]
    low: float | None
    high: float | None

    @property
    def out(self) -> bool:
        """The newest average lies outside."""
        return self.low is not None and not self.low <= self.average[-1] <= self.high

    @property
    def advice(self) -> str:
        """What to look after."""
        return f"light {self.light}: {self.figure} drifted; {FIGURES[self.figure]}"


def charts_of(lights: Sequence[str], figures: Sequence[dict[str, list[float]]]) -> list[Chart]:
    """One for each light and figure. figures: of captures, oldest first, the baseline among them."""
    return [
        chart(light, figure, [each[figure][k] for each in figures])
        for figure in FIGURES
        for k, light in enumerate(lights)
        if figures
    ]


def chart(light: str, figure: str, values: Sequence[float]) -> Chart:
    """The first `BASELINE` captures set mean and spread; without as many there are no limits yet."""
    average, now = [], values[0] if values else 0.0
    for value in values:
        now += WEIGHT * (value - now)
        average.append(now)
    if len(values) <= BASELINE:
        return Chart(light, figure, tuple(values), tuple(average), None, None)
    base = values[:BASELINE]
    mean = sum(base) / BASELINE
    spread = math.sqrt(sum((value - mean) ** 2 for value in base) / (BASELINE - 1))
    # the mean of a short baseline is uncertain itself: its variance is added to the average's
    reach = max(SIGMAS * spread * math.sqrt(WEIGHT / (2 - WEIGHT) + 1 / BASELINE), 0.02 * abs(mean))
    return Chart(light, figure, tuple(values), tuple(average), mean - reach, mean + reach)

"""Is the rig still as in training: `afrd.rig`'s monitor over the captures that the active model judged, and its charts.

The monitor is made anew from the records at every start, so that it can never disagree with them. How the lights lie
against each other is not the monitor's: its charts are EWMA charts (Roberts 1959; Montgomery, ch. 9) of their own.
"""

import math
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from afrd.rig import QUANTITIES, WEIGHT, RigMonitor, RigReference
from afrd.station.judge import Judgement

ALL = "all lights"
REGISTRATION = "registration"
LOOKED_BACK = 2000  # captures that the monitor is made from at a start
SHOWN = 300  # captures on a chart
BASELINE = 50  # captures that say how the lights lie against each other
SIGMAS = 4.0  # limits of that; wider than the textbook's 2.7, for parts differ more than a stable process does
LEAST_SHIFT = 0.25  # pixels, that are no change
_TIGHTEN = "check that camera, lens and part holder are tight, and that parts do not move between two lights"


@dataclass(frozen=True)
class Chart:
    """One quantity of one light, or of `ALL`. values, average: a number a capture, oldest first; per cent or pixels.

    low, high: limits of the average; None while there are none. out: it left them, and the change is this light's.
    """

    light: str
    quantity: str
    values: tuple[float, ...]
    average: tuple[float, ...]
    low: float | None
    high: float | None
    out: bool


class RigWatch:
    """reference: of the active model; None where it does not know the rig. names: of the lights."""

    def __init__(self, reference: RigReference | None, names: Sequence[str]) -> None:
        self._names, self._lock = tuple(names), threading.Lock()
        self.watch(reference, ())

    def watch(self, reference: RigReference | None, past: Iterable[tuple[str, Sequence[Sequence[float]]]]) -> None:
        """From now on by this reference. past: id and deviations of captures that were judged by it, oldest first."""
        monitor = RigMonitor(reference) if reference else None
        for id, deviations in past:
            if monitor is not None:
                monitor.add(np.asarray(deviations), id)
        with self._lock:
            self._monitor = monitor

    def add(self, id: str, judgement: Judgement) -> None:
        """One more capture."""
        deviations = judgement.inspection.rig_deviations
        with self._lock:
            if self._monitor is not None and deviations is not None:
                self._monitor.add(deviations, id)

    @property
    def known(self) -> bool:
        """Whether the active model knows what the rig was like."""
        return self._monitor is not None

    @property
    def drifting(self) -> list[str]:
        """What has changed, in words, each with its fix."""
        with self._lock:
            drifts = self._monitor.drifts if self._monitor is not None else ()
        return [drift.words(self._names) for drift in drifts]

    def charts(self, past: Sequence[Sequence[Sequence[float]]]) -> list[Chart]:
        """past: deviations of captures, oldest first; the first hundred may only lead in."""
        with self._lock:
            if self._monitor is None or not past:
                return []
            reference, drifts = self._monitor.reference, self._monitor.drifts
        monitor, averages = RigMonitor(reference), []
        for number, deviations in enumerate(past):
            monitor.add(np.asarray(deviations), str(number))
            averages.append(monitor.averages)
        values, average = (100 * np.expm1(np.array(each))[-SHOWN:] for each in (past, averages))
        limits = monitor.limits
        out = {(drift.quantity, 0 if drift.light is None else drift.light + 1) for drift in drifts}
        return [
            Chart(
                light,
                quantity,
                tuple(values[:, q, column].tolist()),
                tuple(average[:, q, column].tolist()),
                100 * math.expm1(-limits[q, column]),
                100 * math.expm1(limits[q, column]),
                (quantity, column) in out,
            )
            for q, quantity in enumerate(QUANTITIES)
            for column, light in enumerate((ALL, *self._names))
        ]


def registration_charts(names: Sequence[str], shifts: Sequence[Sequence[Sequence[float]]]) -> list[Chart]:
    """shifts: of captures, oldest first, the baseline among them: x, y in pixels of each light."""
    values = np.asarray(shifts, float)
    return [
        _shift_chart(f"{name}, {axis}", values[:, light, a])
        for light, name in enumerate(names)
        for a, axis in enumerate(("x", "y"))
        if len(values)
    ]


def registration_advice(charts: Iterable[Chart]) -> list[str]:
    """Of those that left their limits, in words."""
    return [
        f"light {chart.light}: {chart.average[-1] - (chart.low + chart.high) / 2:+.1f} px from where it lay; {_TIGHTEN}"
        for chart in charts
        if chart.out
    ]


def _shift_chart(light: str, values: np.ndarray) -> Chart:
    """The first `BASELINE` captures set mean and spread; without as many there are no limits yet."""
    average, now = [], float(values[0])
    for value in values:
        now += WEIGHT * (float(value) - now)
        average.append(now)
    shown = tuple(values[-SHOWN:].tolist()), tuple(average[-SHOWN:])
    if len(values) <= BASELINE:
        return Chart(light, REGISTRATION, *shown, None, None, False)
    base = values[:BASELINE]
    # the mean of a short baseline is uncertain itself: its variance is added to the average's
    reach = SIGMAS * float(base.std(ddof=1)) * math.sqrt(WEIGHT / (2 - WEIGHT) + 1 / BASELINE)
    mean, reach = float(base.mean()), max(reach, LEAST_SHIFT)
    return Chart(light, REGISTRATION, *shown, mean - reach, mean + reach, abs(now - mean) > reach)

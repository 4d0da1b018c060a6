"""Slow drift of a rig over many captures: exponentially weighted moving averages (EWMA; Roberts 1959), one a quantity.

A single capture says little, as parts differ; an average over the last ten or twenty does. Each quantity of the whole
rig and of each light has a chart: z ← (1 - λ) z + λ x. It signals where z leaves its limits. These follow from the mean
number of captures of a rig in order between two false signals, of all charts together (`limit_for`), and are wider the
fewer captures training had to learn mean and spread from.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from afrd.errors import ModelError, complaint
from afrd.rig.drift import RigReference, told_apart
from afrd.rig.run_length import limit_for, spread_bound
from afrd.rig.words import QUANTITIES, change_in_words

WEIGHT = 0.1  # λ, of the newest capture
HELD = 4.0  # spreads: a capture farther off counts as this far, so that one strange part is no drift
RUN_LENGTH = 10_000  # captures between two false signals, on average


@dataclass(frozen=True)
class Drift:
    """quantity: of `QUANTITIES`. light: its index; None for the whole rig. size: mean since it began, in logarithms.

    since: id of the first capture that shows it. captures: how many have come since, that one included.
    """

    quantity: str
    light: int | None
    size: float
    since: str
    captures: int

    def words(self, names: Sequence[str]) -> str:
        """For a reader, with what to clean or check. names: of all lights."""
        change = change_in_words(self.quantity, self.size, None if self.light is None else names[self.light])
        many = "" if self.captures == 1 else f", {self.captures} captures ago"
        return f"{change} (since capture {self.since}{many})"


class _State(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    reference: str
    captures: int
    averages: list[list[float]]
    sums: list[list[float]]
    began: list[list[int]]
    began_at: list[list[str]]


class RigMonitor:
    """Watches the captures of one station, in the order in which they were taken.

    reference: of the model's card. run_length: captures between two false signals, on average, while captures are as in
    training. state: what `state` returned, to go on from there. Raises ModelError: a state of another model, or none.
    """

    def __init__(self, reference: RigReference, run_length: float = RUN_LENGTH, state: str | None = None) -> None:
        self.reference = reference
        self._spreads = np.array(reference.spreads)
        n = reference.captures
        limit = limit_for(WEIGHT, run_length * self._spreads.size)
        # the mean is known as well as n captures tell it, the spread is not known to be smaller than this
        self._limits = spread_bound(n - 1) * limit * np.sqrt(WEIGHT / (2 - WEIGHT) + 1 / n) * self._spreads
        shape = self._spreads.shape
        self.captures = 0
        self._averages: np.ndarray = np.zeros(shape)
        self._sums: np.ndarray = np.zeros(shape)
        self._began: np.ndarray = np.zeros(shape, int)
        self._began_at: np.ndarray = np.full(shape, "", object)
        if state is not None:
            self._restore(state)

    def add(self, deviations: np.ndarray, id: str) -> tuple[Drift, ...]:
        """deviations: [Q, 1 + N], of `RigReference.deviations`. Returns what begins to signal with this capture."""
        before = self._beyond()
        held = np.clip(deviations, -HELD * self._spreads, HELD * self._spreads)
        averages = (1 - WEIGHT) * self._averages + WEIGHT * held
        turned = np.sign(averages) != np.sign(self._averages)
        self._averages = averages
        self._began[turned], self._began_at[turned] = self.captures, id
        self._sums = np.where(turned, 0, self._sums) + deviations
        self.captures += 1
        return self._found(self._beyond() & ~before)

    @property
    def averages(self) -> np.ndarray:
        """[Q, 1 + N]: of the deviations now, of the whole rig and then of each light."""
        return self._averages.copy()

    @property
    def limits(self) -> np.ndarray:
        """[Q, 1 + N]: an average beyond it, to either side, signals."""
        return self._limits.copy()

    @property
    def drifts(self) -> tuple[Drift, ...]:
        """All that signal now, those of the whole rig first."""
        return self._found(self._beyond())

    def state(self) -> str:
        """As JSON."""
        values = {
            "reference": self.reference.digest(),
            "captures": self.captures,
            "averages": self._averages.tolist(),
            "sums": self._sums.tolist(),
            "began": self._began.tolist(),
            "began_at": self._began_at.tolist(),
        }
        return json.dumps(values, ensure_ascii=False)

    def _restore(self, text: str) -> None:
        try:
            state = _State.model_validate_json(text)
        except ValidationError as error:
            raise ModelError(f"state of the rig's monitor: {complaint(error)}; start without it") from error
        rows, columns = len(self.reference.spreads), len(self.reference.spreads[0])
        grids = (state.averages, state.sums, state.began, state.began_at)
        fits = all([len(row) for row in grid] == [columns] * rows for grid in grids)
        if state.reference != self.reference.digest() or not fits:
            raise ModelError("state of the rig's monitor: of another model; start without it")
        self.captures = state.captures
        self._averages, self._sums = np.array(state.averages), np.array(state.sums)
        self._began, self._began_at = np.array(state.began), np.array(state.began_at, object)

    def _beyond(self) -> np.ndarray:
        return np.asarray(np.abs(self._averages) > self._limits)

    def _found(self, charts: np.ndarray) -> tuple[Drift, ...]:
        """Those of a light only where it is not the rig's again, by its smaller part."""
        sizes = self._sums / np.maximum(self.captures - self._began, 1)
        beyond = self._beyond()
        rig = {q: float(sizes[i, 0]) for i, q in enumerate(QUANTITIES) if beyond[i, 0]}
        found = []
        for column in range(charts.shape[1]):
            own = {q: float(sizes[i, column]) for i, q in enumerate(QUANTITIES) if beyond[i, column]}
            if column:
                own = {q: size for q, size in own.items() if abs(size) > abs(rig.get(q, 0)) / 2}
                if rig:
                    own.pop("noise", None)  # where all become noisier, quiet lights do by more
            for quantity, size in told_apart(rig | own).items():
                i = QUANTITIES.index(quantity)
                if quantity in own and charts[i, column]:
                    light = None if column == 0 else column - 1
                    count = int(self.captures - self._began[i, column])
                    found.append(Drift(quantity, light, size, str(self._began_at[i, column]), count))
        return tuple(found)

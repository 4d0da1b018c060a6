"""What a study of lights found."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from afrd.files import write_text
from afrd.lighting.choice import Interval, pareto

ASSUMED_MS = 10.0  # exposure of a light whose time lights.yaml does not state


@dataclass(frozen=True)
class Subset:
    """Some of the lights and how well the joint model of them separates good from defective parts.

    image_auroc: on labelled test parts, None where there are none of both kinds. painted_auroc: on defects painted into
    held-out good parts. by_kind: I-AUROC by kind of defect; painted ones, and the test parts' where there are any.
    cycle_ms: exposures and switching of these lights.
    """

    lights: tuple[str, ...]
    image_auroc: float | None
    painted_auroc: float
    cycle_ms: float
    painted_by_kind: dict[str, float]
    image_by_kind: dict[str, float]

    @property
    def value(self) -> float:
        """What it is judged by: labelled parts where there are any."""
        return self.painted_auroc if self.image_auroc is None else self.image_auroc


@dataclass(frozen=True)
class LightFinding:
    """What one light finds, of `defective` parts, at a threshold that passes 95 % of held-out good parts.

    found: by this light alone. only: of these, those that no other light alone finds. lost: found by all lights
    together, and not by all but this one.
    """

    light: str
    defective: int
    found: int
    only: int
    lost: int


@dataclass(frozen=True)
class Sum:
    """A light that shows what these others show together. share: of its fine detail that they explain."""

    light: str
    of: tuple[str, ...]
    share: float


@dataclass(frozen=True)
class LightStudy:
    """See `light_study`. subsets: those looked at, smaller ones first; all of them up to ten lights.

    recommended: names of lights; own, elsewhere, against_all, share: see `afrd.lighting.choice.Choice`.
    by_painted: what painted defects alone would recommend.
    alike: groups of lights that show the same picture. labelled: judged by labelled parts rather than painted defects.
    good, bad: captures that decided. learned_from, held_out: good parts.
    assumed: lights whose exposure lights.yaml does not state, for which 10 ms are taken.
    """

    category: str | None
    lights: tuple[str, ...]
    subsets: tuple[Subset, ...]
    recommended: tuple[str, ...]
    own: Interval
    against_all: Interval
    elsewhere: Interval | None
    share: float
    alike: tuple[tuple[str, ...], ...]
    sums: tuple[Sum, ...]
    findings: tuple[LightFinding, ...]
    labelled: bool
    good: int
    bad: int
    learned_from: int
    held_out: int
    assumed: tuple[str, ...]
    by_painted: tuple[str, ...]

    def subset(self, lights: tuple[str, ...]) -> Subset:
        """The one of these lights, in any order. Raises KeyError: it was not looked at."""
        for each in self.subsets:
            if set(each.lights) == set(lights):
                return each
        raise KeyError(lights)

    @property
    def front(self) -> list[Subset]:
        """The Pareto front: than these none is as fast and better, or faster and as good; the fastest first."""
        rows = pareto([each.cycle_ms for each in self.subsets], [each.value for each in self.subsets])
        return [self.subsets[i] for i in rows]

    def best_of(self, size: int) -> Subset:
        """The best of so many lights that was looked at."""
        return max((each for each in self.subsets if len(each.lights) == size), key=lambda each: each.value)

    def to_json(self) -> dict[str, Any]:
        """lights, subsets, alike, recommended: names and figures only."""
        return {
            "lights": list(self.lights),
            "subsets": [
                {
                    "lights": list(each.lights),
                    "image_auroc": each.image_auroc,
                    "painted_auroc": each.painted_auroc,
                    "cycle_ms": each.cycle_ms,
                }
                for each in self.subsets
            ],
            "alike": [list(group) for group in self.alike],
            "recommended": list(self.recommended),
        }

    def write_json(self, path: Path) -> None:
        """`to_json`, whole or not at all."""
        write_text(Path(path), json.dumps(self.to_json(), indent=1, ensure_ascii=False) + "\n")

    def words(self) -> list[str]:
        """The recommendation and what it rests on, a sentence a line."""
        chosen, every = self.subset(self.recommended), self.subset(self.lights)
        judged = (
            f"{self.bad} defective and {self.good} good test captures"
            if self.labelled
            else f"{self.bad} captures with a painted defect and {self.good} without one"
        )
        lines = [
            f"Take {_listed(self.recommended)}: I-AUROC {chosen.value:.3f} "
            f"[{self.own.low:.3f}, {self.own.high:.3f}] in {chosen.cycle_ms:g} ms; "
            f"all {len(self.lights)} lights {every.value:.3f} in {every.cycle_ms:g} ms.",
            f"Against all lights: {self.against_all.value:+.3f} "
            f"[{self.against_all.low:+.3f}, {self.against_all.high:+.3f}], 95 % interval over parts, by {judged}.",
        ]
        if self.elsewhere:
            lines.append(
                f"On parts that took no part in the choice, lights chosen this way have {self.elsewhere.value:.3f} "
                f"[{self.elsewhere.low:.3f}, {self.elsewhere.high:.3f}]; {self.share:.0%} of the resamples choose "
                f"these."
            )
        if self.labelled:
            lines.append(
                f"Painted defects alone would have chosen {_listed(self.by_painted)}, "
                f"{self.subset(self.by_painted).value:.3f} on the test captures."
            )
        else:
            lines.append(
                "There are no labelled parts of both kinds: painted defects decide, which are not your defects, and "
                "where that was tried chose no better than chance; put bad parts into test/ before you drop a light."
            )
        lines += [self._of_copies(group) for group in self.alike]
        lines += [
            f"{each.light} shows what {_listed(each.of)} show together ({each.share:.0%} of its detail)."
            for each in self.sums
        ]
        if self.assumed:
            lines.append(
                f"No exposure_ms in lights.yaml for {_listed(self.assumed)}: {ASSUMED_MS:g} ms each are assumed."
            )
        return lines

    def _of_copies(self, group: tuple[str, ...]) -> str:
        taken = tuple(light for light in group if light in self.recommended)
        if len(taken) < 2:
            return f"{_listed(group)} show the same picture: one of them is enough, or average them."
        return (
            f"{_listed(group)} show nearly the same picture; {_listed(taken)} are recommended together all the same: "
            f"no faster choice came within one standard error."
        )


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"

"""What faults of the lights mean for the verdict: no part is called good by lights that cannot be trusted.

Knows faults and the names of lights, no images and no model.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from afrd.errors import ModelError
from afrd.rig.light_check import LightFault

OnLightFault = Literal["reject", "leave-out"]


@dataclass(frozen=True)
class Trust:
    """How far the lights of a capture are believed.

    left_out: lights that the model should not look at. may_be_good, may_be_anomalous: verdicts that it may give; where
    it may not give the one that the score says, the verdict is "light fault".
    """

    left_out: tuple[int, ...]
    may_be_good: bool
    may_be_anomalous: bool


def require_known(on_light_fault: str) -> None:
    """Raises ModelError: neither "reject" nor "leave-out"."""
    if on_light_fault not in get_args(OnLightFault):
        raise ModelError(
            f"on_light_fault {on_light_fault!r}: unknown; choose one of {', '.join(get_args(OnLightFault))}"
        )


def trust(
    faults: Sequence[LightFault], missing: Collection[int], spare: Collection[int], on_fault: OnLightFault
) -> Trust:
    """missing: lights that the user said are out of order. spare: lights any one of which the model can do without.

    "reject": any fault forbids both verdicts. "leave-out": the one light that failed is left out; what is good by the
    others is good. A part is anomalous, but never good, where several lights are merely unlike training: a wrong part
    looks so. Lights that were swapped, or of which more failed than can be left out, allow no verdict.
    """
    bad = set(missing) | _useless(faults)
    left_out = tuple(sorted(bad if len(bad) == 1 and bad <= set(spare) else missing))
    if on_fault == "reject":
        return Trust(left_out, not faults, not faults)
    named = {light for fault in faults for light in (fault.light, fault.other)} - {None}
    sees = bad <= set(left_out)
    return Trust(left_out, sees and named <= set(left_out), sees)


def _useless(faults: Sequence[LightFault]) -> set[int]:
    """Lights that say nothing of the part.

    One that is merely unlike training counts where it is the only one: lights fail one at a time, several at once are
    another part. Where it is one of two and cannot be told which, both count.
    """
    unlike = [fault for fault in faults if fault.kind == "unlike"]
    chosen = [fault for fault in faults if fault.kind != "unlike"] + (unlike if len(unlike) == 1 else [])
    return {light for fault in chosen for light in (fault.light, fault.other)} - {None}


def light_faults_in_words(
    faults: Sequence[LightFault], names: Sequence[str], opposite: Collection[tuple[int, int]] = ()
) -> tuple[str, ...]:
    """The faults in words, each with its fix. names: of all lights, in the order of the capture.

    opposite: pairs of lights that come from opposite sides. Where all of them are exchanged, a note more says that the
    part may be inverted instead.
    """
    notes = [_described(fault, names) for fault in faults]
    if opposite and set(opposite) <= {(fault.light, fault.other) for fault in faults if fault.kind == "swapped"}:
        notes.append(
            "all opposite lights are exchanged at once: the part may as well be inverted, hollow where it should be "
            "raised; look at the part first, then at the wiring"
        )
    return tuple(notes)


_ONE, _EITHER, _BOTH = "light {}: ", "light {} or {}: ", "lights {} and {}: "


def lights_in(note: str, names: Sequence[str]) -> set[str]:
    """Of which lights a note of `light_faults_in_words` tells; names: of all lights. None for another note."""
    found = {name for name in names if note.startswith(_ONE.format(name))}
    pairs = [(name, other) for name in names for other in names if name != other]
    return found.union(*(pair for pair in pairs if note.startswith((_EITHER.format(*pair), _BOTH.format(*pair)))))


def _described(fault: LightFault, names: Sequence[str]) -> str:
    light, other = names[fault.light], None if fault.other is None else names[fault.other]
    one = _ONE.format(light)
    if fault.kind == "dark":
        return f"{one}dark, as if it were not lit; check its cable, its driver and its trigger"
    if fault.kind == "overexposed":
        return f"{one}overexposed, far more is saturated than in training; lower its power or its exposure"
    if fault.kind == "shifted":
        return (
            f"{one}its picture is shifted against the others, and not as in training; check its trigger, and "
            f"that the part lies still or moves evenly"
        )
    if fault.kind == "swapped":
        return f"{_BOTH.format(light, other)}swapped; exchange their cables, or pass their images in training's order"
    fix = "check power, exposure and position, and whether something covers the light; if the rig was changed, retrain"
    if other is None:
        return f"{one}unlike training; {fix}"
    return f"{_EITHER.format(light, other)}one is unlike training, from two lights it cannot be told which; {fix}"

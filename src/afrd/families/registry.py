"""Which families of models there are, and which of them a name on the command line means."""

from afrd.errors import ModelError
from afrd.families.family import Family

AUTO, BEST = "auto", "joint"  # "auto" is the best that is known (docs/method.md)
FAMILIES: list[Family] = []


def register(family: Family) -> None:
    """Makes a family known to everything: command line, training, inspection, export, reports."""
    FAMILIES.append(family)


def resolve(fusion: str) -> str:
    """What "auto" stands for; other names stay."""
    return BEST if fusion == AUTO else fusion


def family_of(fusion: str) -> Family:
    """fusion: a name that a family offers, or "auto". Raises ModelError: no family of that name."""
    kind = str(resolve(fusion)).partition(":")[0]
    for family in FAMILIES:
        if kind in {name.partition(":")[0] for name in family.names}:
            return family
    raise ModelError(f"fusion {fusion!r}: unknown; choose one of {', '.join((AUTO, *offered()))}")


def offered() -> list[str]:
    """Every name, in the order of registration; K in one stands for a number."""
    return [name for family in FAMILIES for name in family.names]


def able_to(capability: str) -> list[str]:
    """The names of the families that declare this field of `afrd.card.Capabilities`."""
    return [name for family in FAMILIES if getattr(family.capabilities, capability) for name in family.names]


def acting_on(setting: str) -> list[str]:
    """The names of the families whose config has this setting; none for one that there is not."""
    return [name for family in FAMILIES if setting in family.config.model_fields for name in family.names]

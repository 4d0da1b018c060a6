"""What the student is trained on: one minus the cosine between fused teacher levels and student levels."""

from collections.abc import Callable, Sequence

from torch import Tensor
from torch.nn.functional import cosine_similarity

from afrd.errors import ModelError


def position_loss(target: Sequence[Tensor], student: Sequence[Tensor]) -> Tensor:
    """Eq. 5: the cosine over channels at each position, averaged over positions, summed over levels. [] (scalar)."""
    return sum((1 - cosine_similarity(t, s, dim=1)).mean() for t, s in zip(target, student, strict=True))


def flat_loss(target: Sequence[Tensor], student: Sequence[Tensor]) -> Tensor:
    """The form of the public Reverse Distillation code: one cosine over a whole flattened map. [] (scalar)."""
    return sum(
        (1 - cosine_similarity(t.flatten(1), s.flatten(1), dim=1)).mean() for t, s in zip(target, student, strict=True)
    )


LOSSES: dict[str, Callable[[Sequence[Tensor], Sequence[Tensor]], Tensor]] = {
    "position": position_loss,
    "flat": flat_loss,
}


def get_loss(name: str) -> Callable[[Sequence[Tensor], Sequence[Tensor]], Tensor]:
    """The loss of that name. Raises ModelError: unknown name."""
    if name not in LOSSES:
        raise ModelError(f"loss {name!r}: unknown; choose one of {', '.join(LOSSES)}")
    return LOSSES[name]

"""Cross-fitting of the joint model: every good capture serves both its fit and the threshold.

The model without a fold has the moments of all captures less the fold's, and its own expectation of what good parts
have; directions of defects and disturbances, learned from painted and disturbed captures, are shared.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from afrd.capture import Capture
from afrd.datasets import CaptureSet
from afrd.families import HeldOutScores
from afrd.imaging.tiles import score as score_of_joined
from afrd.model import JointGaussian
from afrd.model.anomaly_map import score
from afrd.model.moments import Moments
from afrd.rig import RigReference
from afrd.training.cross_fit import Scorer, assign_folds, cross_fit
from afrd.training.disturbed import disturbed_copies, noted
from afrd.training.features import Recompute
from afrd.training.holdout import moved_regions, of_each, outlier


class Folds:
    """Which captures are scored by a model that has not seen them, and their vectors.

    captures: all good ones. blurred: copies of them that are learned from, too, or none. folds: how many; a part is in
    one with all its captures. parts: so many, spread evenly, are in folds, None: all; the others serve the fit alone.
    """

    def __init__(
        self, captures: CaptureSet, blurred: Sequence[Capture], folds: int, seed: int, parts: int | None = None
    ) -> None:
        names = list(dict.fromkeys(captures.groups))
        parts = len(names) if parts is None else parts
        chosen = {names[i * len(names) // parts] for i in range(parts)}
        self.captures = captures
        self.members = [number for number, name in enumerate(captures.groups) if name in chosen]
        self._place = {number: i for i, number in enumerate(self.members)}  # of all captures among these
        self.blurred, self.folds, self.seed = blurred, folds, seed
        self.scored = captures.subset(self.members)
        self.of = assign_folds(self.scored.groups, folds, seed)
        self.of_all = [1 + int(self.of[self._place[i]]) if i in self._place else 0 for i in range(len(captures))]
        self._kept: list[Tensor] = []

    @property
    def keeps_all(self) -> bool:
        """Whether the vectors of all captures are kept, so that none has to be read a second time."""
        return len(self.scored) == len(self.captures)

    def kept(self, model: JointGaussian) -> Iterator[Tensor]:
        """The vectors of places that are looked at, a capture after the other."""
        return self._others(model, -1, model.mean.device)

    def keep(self, model: JointGaussian, number: int, levels: Sequence[Tensor]) -> None:
        """Of capture `number` of all, in their order."""
        if number == 0:
            self._kept = []
        if number in self._place:
            self._kept.append(model.describe(levels).half().cpu())

    def vectors(self, number: int) -> Tensor | None:
        """Of capture `number` of all, [1, N · D, h, w]; None: they were not kept."""
        return self._kept[self._place[number]].float() if number in self._place else None

    def score(
        self,
        model: JointGaussian,
        moments: list[Moments],
        seed: int,
        copies: int,
        device: torch.device,
        rig: RigReference | None = None,
    ) -> HeldOutScores:
        """Of each capture in a fold, and of disturbed copies. model: fitted to all captures, each of which was kept.

        moments: what its fit by `of_all` gave: of the captures in no fold, then of each fold.
        A part that scores far above all others is taken out of the model again. rig: see `afrd.families.family.Job`.
        """
        versions = 1 + copies
        disturbed = disturbed_copies(self.scored, seed, copies, rig)
        each_gone = model.without_each()
        subsets = [None, *filter(None, each_gone)]
        regions, imaging = moved_regions(self.scored), self.scored.imaging

        def told(found: Tensor, i: int) -> float:
            if imaging is None or regions is None:
                return float(score(found, model.top_share))
            return score_of_joined(imaging.join(found.cpu().numpy(), regions[i]), model.top_share)

        every = sum(moments[1:], moments[0])

        def fit_without(inside: np.ndarray) -> Scorer:
            fold = self.of[inside[0]]
            other = model.of_others(every - moments[1 + fold], self._others(model, fold, device))

            def scores_of(captures: np.ndarray) -> np.ndarray:
                """[m, versions, 1 + K]: by all lights, then without each of K that can be left out."""
                found = np.empty((len(captures), versions, len(subsets)))
                kept = (self._kept[i].to(device).float() for i in captures)
                looks = [Recompute(model, copy.subset(captures), device).each() for copy in disturbed]
                for version, each in enumerate([kept, *(map(model.describe, look) for look in looks)]):
                    for m, vectors in enumerate(each):
                        found[m, version] = [told(other.map_of(vectors, lights), captures[m]) for lights in subsets]
                return found

            return scores_of

        found = cross_fit(self.scored.groups, fit_without, self.folds, self.seed)
        scores, *without = found.transpose(2, 1, 0)  # [versions, n] each
        learned = len(self.captures)
        if (odd := outlier(self.scored, scores[0])) is not None:  # in doubt nothing is learned from it
            own = [i for i, group in enumerate(self.scored.groups) if group == self.scored.groups[odd]]
            kept = [vectors for i, vectors in enumerate(self._kept) if i not in own]
            its = sum((self._moments_of(model, i, device) for i in own), Moments(len(model.mean)))
            other = model.of_others(every - its, (model.looked_at(v.to(device).float()) for v in kept))
            model.load_state_dict(other.state_dict())
            learned -= len(own)
        clean, *copies = (
            HeldOutScores(
                scores[v].tolist(), of_each(each_gone, [other[v].tolist() for other in without]), self.scored, learned
            )
            for v in range(versions)
        )
        return clean.with_copies(copies, noted(disturbed, rig))

    def _moments_of(self, model: JointGaussian, i: int, device: torch.device) -> Moments:
        """Of what was learned from capture i of those in folds."""
        moments = Moments(len(model.mean))
        model.add_to(moments, self._kept[i].float().to(model.mean))
        if self.blurred:
            model.add_to(moments, model.describe(Recompute(model, self.blurred, device).batch([self.members[i]])))
        return moments

    def _others(self, model: JointGaussian, fold: int, device: torch.device) -> Iterator[Tensor]:
        for vectors, its in zip(self._kept, self.of, strict=True):
            if its != fold:
                yield model.looked_at(vectors.to(device).float())

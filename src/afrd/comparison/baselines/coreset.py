"""The k-centre-greedy choice of anomalib's PatchCore, made fast enough for a processor. Knows no networks.

anomalib updates all M distances after each of k choices: minutes a job. The greedy choice needs
only the farthest point, and distances to the nearest centre never grow. So a stale distance bounds the true one from
above: only the points with the largest stale distances are kept up to date, until the best of them falls below the
stale bound of all others; then all are brought up to date in one matrix product. The choice is the same.
"""

import torch
from anomalib.models.components import KCenterGreedy
from torch import Tensor

SHORTLIST = 1024
CHUNK = 8192


class LazyKCenterGreedy(KCenterGreedy):
    """Same projection, same random start, same choices as its base."""

    def select_coreset_idxs(self) -> list[int]:
        """Indices of the `coreset_size` chosen embeddings, in the order of choice."""
        self.model.fit(self.embedding)
        points = self.features = self.model.transform(self.embedding)
        squares = points.square().sum(1)
        first = int(torch.randint(high=self.n_observations, size=(1,)))
        chosen = [first]
        distances = torch.full((len(points),), torch.inf)  # squared, to the nearest centre known at the last update
        updated = 0
        while len(chosen) < self.coreset_size:
            _update(distances, points, squares, chosen[updated:])
            distances[chosen] = 0
            updated = len(chosen)
            top = distances.topk(min(SHORTLIST + 1, len(points)))
            bound = top.values[-1] if len(top.values) > SHORTLIST else -1.0
            shortlist, live = top.indices[:SHORTLIST], top.values[:SHORTLIST].clone()
            near = points[shortlist]
            while len(chosen) < self.coreset_size:
                best = int(live.argmax())
                if live[best] < bound:
                    break
                chosen.append(int(shortlist[best]))
                live = torch.minimum(live, (near - near[best]).square().sum(1))
                live[best] = 0
        return chosen


def _update(distances: Tensor, points: Tensor, squares: Tensor, centres: list[int]) -> None:
    """In place: the minimum with the squared distances to these centres."""
    to, to_squares = points[centres].T.contiguous(), squares[centres]
    for start in range(0, len(points), CHUNK):
        part = slice(start, start + CHUNK)
        nearest = torch.addmm(to_squares, points[part], to, alpha=-2).amin(1)
        distances[part] = torch.minimum(distances[part], (nearest + squares[part]).clamp(min=0))

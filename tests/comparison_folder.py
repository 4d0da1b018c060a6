"""A small comparison folder as the runner leaves one: real result files, real maps, scores made up by a known rule."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from afrd.comparison.job import Job, Settings
from afrd.comparison.methods import METHODS
from afrd.comparison.results import Store
from afrd.evaluation.metrics import image_auroc

LIGHTS = ("all_spots", "bottom", "right", "top", "left", "light_box")
DEFECTS = ("bumps", "colors", "dents", "normals")
THREE = ("CandyCane", "Confetto", "Lollipop")
EVIL = '<img src=x onerror="alert(1)">|&_$%#{}~^\\ 5%\nnext line'


def make_scores(rng: np.random.Generator, strength: float, n_good: int, n_bad: int) -> np.ndarray:
    """Good captures around 0, defective ones around `strength`, all made positive."""
    return np.concatenate([rng.normal(0, 1, n_good), rng.normal(strength, 1, n_bad)]) + 6


def strength(job: Job) -> float:
    """RD sees better with every light, but on Lollipop light L1 is the best; attention is the best of all."""
    if job.method == "rd":
        return 3.0 if (job.category, job.light) == ("Lollipop", "0") else 0.2 * int(job.light)
    return {"attention": 1.3, "mean": 0.9}.get(job.method, 0.8)


class ComparisonFolder:
    """Writes results one by one.

    ids: of the test captures of every class, good ones first.
    """

    def __init__(self, root: Path, kind: str = "rendered", n_good: int = 8, n_bad: int = 8, ids=None) -> None:
        self.root, self.kind, self.n_good, self.n_bad = root, kind, n_good, n_bad
        self.ids = list(ids or (f"{i:03d}" for i in range(n_good + n_bad)))
        self.store = Store(root)
        self.store.open(Settings())

    @property
    def labels(self) -> np.ndarray:
        return np.arange(self.n_good + self.n_bad) >= self.n_good

    def done(
        self,
        job: Job,
        scores: Sequence[float],
        *,
        threshold: float = 7.0,
        pixel: tuple[float, float] | None = (0.9, 0.8),
        **other,
    ) -> None:
        """pixel: P-AUROC and AU-PRO, each with an interval of ±0.05; None for a method without maps."""
        estimate = image_auroc(self.labels, scores, resamples=50)
        defects = [[] if not bad else [DEFECTS[i % 4]] for i, bad in enumerate(self.labels)]
        rows = [
            {
                "id": name,
                "anomalous": bool(bad),
                "defects": types,
                "score": float(score),
                "verdict": "anomalous" if score > threshold else "good",
                "light_weights": None,
            }
            for name, bad, types, score in zip(self.ids, self.labels, defects, scores, strict=True)
        ]
        metrics = dict(zip(("pixel_auroc", "au_pro"), pixel or (None, None), strict=True))
        result = {
            "status": "done",
            "image_auroc": estimate.value,
            "image_auroc_ci": list(estimate.interval) if estimate.interval else None,
            **metrics,
            **{f"{m}_ci": None if value is None else [value - 0.05, value + 0.05] for m, value in metrics.items()},
            "undefined": {} if pixel else dict.fromkeys(metrics, "the method gives no map"),
            "n_good": self.n_good,
            "n_bad": self.n_bad,
            "n_train": 20,
            "per_defect": {},
            "threshold": threshold,
            "captures": rows,
            "lights": list(LIGHTS),
            "settings": Settings().model_dump(mode="json"),
            "data": {"kind": self.kind, "digests": {"train": "a", "holdout": "b", "test": "c"}},
            "seconds_fit": 9.0,
            "seconds_total": 10.0,
            "peak_memory_mb": 500.0,
            "versions": {"afrd": "0.1.0", "torch": "2.9"},
            "commit": "abc123",
        }
        self.store.write(job, result | other)

    def failed(self, job: Job, error: str) -> None:
        self.store.write(job, {"status": "failed", "error": error, "seconds_total": 1.0, "peak_memory_mb": 1.0})

    def fill(
        self,
        classes: Sequence[str],
        methods: Sequence[str],
        strength: Callable[[Job], float],
        seeds: Sequence[int] = (0,),
        seed: int = 0,
    ) -> None:
        """Every light policy of the methods, with captures that are as hard for all of them."""
        rng = np.random.default_rng(seed)
        for name in classes:
            shared = make_scores(rng, 0, self.n_good, self.n_bad)
            for method in methods:
                for light in METHODS[method].policies(len(LIGHTS)):
                    for s in seeds:
                        job = Job(name, method, light, s)
                        own = make_scores(rng, 0, self.n_good, self.n_bad)
                        scores = 0.8 * shared + 0.2 * own + strength(job) * self.labels
                        self.done(job, scores, pixel=(0.9, 0.8) if METHODS[method].has_map else None)

    def change(self, job: Job, **values) -> None:
        """Overwrite keys of a result that is there."""
        path = self.store.result_path(job)
        path.write_text(json.dumps(json.loads(path.read_text()) | values))


def area(folder: ComparisonFolder, job: Job) -> float:
    """I-AUROC of a job by scikit-learn."""
    captures = folder.store.read()[job]["captures"]
    return roc_auc_score([row["anomalous"] for row in captures], [row["score"] for row in captures])

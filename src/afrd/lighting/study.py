"""From captures to a study of their lights."""

import hashlib
import json
import tempfile
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch

from afrd.capture import LightRig
from afrd.datasets import CaptureSet, require_lights
from afrd.errors import DatasetError
from afrd.families import TrainConfig, build_model
from afrd.families.joint import JointConfig
from afrd.files import locked_file
from afrd.lighting.alike import sums
from afrd.lighting.choice import Choice, choose
from afrd.lighting.parts import HELD_OUT, PAINTED_SET, TEST, Part, Prepared, prepare
from afrd.lighting.resampling import Resampled
from afrd.lighting.result import ASSUMED_MS, LightFinding, LightStudy, Subset, Sum
from afrd.lighting.scores import EVERY, Lights, SubsetScores, looked_at
from afrd.model.precision import pin_float32
from afrd.progress import Progress
from afrd.training.alike_lights import copies, correlations
from afrd.training.holdout import split_holdout
from afrd.training.imaging import learn_imaging, look_where

FALSE_ALARMS = 0.05  # of held-out good parts, at the threshold by which parts are found


def light_study(
    captures: CaptureSet,
    holdout: CaptureSet | None = None,
    test: CaptureSet | None = None,
    *,
    config: TrainConfig | None = None,
    cache_dir: str | Path | None = None,
    device: str = "cpu",
    on_parts: Progress | None = None,
    on_subsets: Progress | None = None,
) -> LightStudy:
    """Which of the lights are needed: every subset of them, judged by the joint Gaussian.

    captures, holdout: good parts, as for `train`. test: labelled parts; where good and defective ones are there they
    decide, else defects that are painted into the held-out good parts do.
    config: of the joint model, TrainConfig(fusion="joint", …); what is said there of lights, false alarms and
        training's devices has no effect. Joint is used throughout, where `auto` would take another model too.
    cache_dir: what was read of the parts stays here for the next study of the same captures.
    on_parts(done, parts to read), on_subsets(done, subsets to look at; 0 where that is not known): progress.

    Leaving lights out of a Gaussian is exact, so nothing is trained a second time; each subset learns anew only what is
    usual at which places. Above ten lights subsets are searched for (`afrd.lighting.scores.search`), by
    what decides and, for what painted defects alone would choose, by these. Weights of lights.yaml hold in every
    subset; a light of weight 0 is left out of the study, with a warning.
    Raises DatasetError: a single light, other lights in holdout or test, captures that are not good; ModelError.
    """
    config = config or TrainConfig(fusion="joint")
    if not isinstance(config, JointConfig):
        raise DatasetError(f"a study of lights takes the joint model, not {config.fusion}: pass fusion='joint'")
    captures, holdout, test = _looked_at(captures, holdout, test)
    rig = captures.lights
    if len(rig) == 1:
        raise DatasetError(
            f"{captures.root}: one light, {rig.names[0]}: there is nothing to choose; take pictures under others too"
        )
    captures = captures.with_options(config.imaging)
    first = captures[:1]  # which may be held out
    captures, holdout = split_holdout(captures, holdout, config)
    if test is not None:
        require_lights(test.lights, rig, "test captures")
        test = test.subset(i for i, label in enumerate(test.labels) if label is not None)
    captures, holdout, test = _seen(captures, holdout, test, first, config)
    prepared = _prepared(captures, holdout, test, config, cache_dir, device, on_parts)
    judged = _Judge(prepared.parts)
    n = len(rig)
    total = 2**n - 1 if n <= EVERY else 0
    scores = SubsetScores(prepared, (lambda done: on_subsets(done, total)) if on_subsets else None)
    by_parts = looked_at(n, lambda lights: judged.value(scores[lights]))
    by_paint = looked_at(n, lambda lights: judged.painted_value(scores[lights])) if judged.labelled else by_parts
    every = sorted({*by_parts, *by_paint}, key=lambda lights: (len(lights), lights))
    times, assumed = cycle_times(rig)
    subsets = {lights: judged.subset(rig, lights, scores[lights], times) for lights in every}

    def chosen(among: Sequence[Lights], by: Resampled, rows: np.ndarray) -> tuple[Choice, Subset]:
        costs = [(subsets[lights].cycle_ms, len(lights)) for lights in among]
        choice = choose(by, np.stack([scores[lights][rows] for lights in among]), costs, among.index(tuple(range(n))))
        return choice, subsets[among[choice.index]]

    choice, recommended = chosen(by_parts, judged.deciding, judged.rows)
    painted = chosen(by_paint, judged.painting, judged.painted)[1] if judged.labelled else recommended
    alike = copies(correlations(captures))
    return LightStudy(
        category=captures.category,
        lights=rig.names,
        subsets=tuple(subsets.values()),
        recommended=recommended.lights,
        own=choice.own,
        against_all=choice.against_all,
        elsewhere=choice.elsewhere,
        share=choice.share,
        alike=tuple(_names(rig, group) for group in alike),
        sums=tuple(Sum(rig.names[k], _names(rig, of), share) for k, of, share in sums(captures, alike)),
        findings=tuple(judged.findings(rig, scores)),
        labelled=judged.labelled,
        good=int((~judged.deciding.labels).sum()),
        bad=int(judged.deciding.labels.sum()),
        learned_from=len(captures),
        held_out=len(holdout),
        assumed=assumed,
        by_painted=painted.lights,
    )


def cycle_times(rig: LightRig) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """Milliseconds of each light, exposure and switching, and the names of those whose exposure is assumed."""
    unknown = (float("nan"),) * len(rig)
    exposure = np.array(rig.exposure_ms or unknown)
    times = np.where(np.isnan(exposure), ASSUMED_MS, exposure) + np.nan_to_num(np.array(rig.switching_ms or unknown))
    assumed = tuple(name for name, value in zip(rig.names, exposure, strict=True) if np.isnan(value))
    return tuple(times.tolist()), assumed


class _Judge:
    """How good scores of all parts are: by labelled ones where there are both kinds, else by painted ones."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = parts
        self.painted = np.array([part.of in (HELD_OUT, PAINTED_SET) for part in parts])
        self.tested = np.array([part.of == TEST for part in parts])
        self.anomalous = np.array([part.anomalous for part in parts])
        self.labelled = len(set(self.anomalous[self.tested].tolist())) == 2
        self.rows = np.flatnonzero(self.tested if self.labelled else self.painted)
        self.deciding = self._resampled(self.rows)
        self.painting = self._resampled(np.flatnonzero(self.painted))

    def _resampled(self, rows: np.ndarray, resamples: int = 500) -> Resampled:
        groups = [f"{self.parts[i].of == TEST} {self.parts[i].group}" for i in rows.tolist()]
        return Resampled(self.anomalous[rows], groups, resamples)

    def value(self, scores: np.ndarray) -> tuple[float, float]:
        """What decides, and the painted defects where that ties."""
        return self.deciding.value(scores[self.rows]), self.painted_value(scores)

    def painted_value(self, scores: np.ndarray) -> float:
        return self._auroc(scores, self.painted)

    def _auroc(self, scores: np.ndarray, rows: np.ndarray) -> float:
        return self._resampled(np.flatnonzero(rows), 1).value(scores[rows])

    def subset(self, rig: LightRig, lights: Lights, scores: np.ndarray, times: Sequence[float]) -> Subset:
        return Subset(
            _names(rig, lights),
            self._auroc(scores, self.tested) if self.labelled else None,
            self._auroc(scores, self.painted),
            round(sum(times[k] for k in lights), 6),
            self._by_kind(scores, self.painted),
            self._by_kind(scores, self.tested) if self.labelled else {},
        )

    def _by_kind(self, scores: np.ndarray, rows: np.ndarray) -> dict[str, float]:
        """Each kind of defect against all good parts."""
        kinds = dict.fromkeys(kind for i in np.flatnonzero(rows).tolist() for kind in self.parts[i].kinds)
        has = {kind: np.array([kind in part.kinds for part in self.parts]) for kind in kinds}
        return {kind: self._auroc(scores, rows & (~self.anomalous | has[kind])) for kind in kinds}

    def findings(self, rig: LightRig, scores: SubsetScores) -> list[LightFinding]:
        bad = self.rows[self.anomalous[self.rows]]
        good = np.array([part.of == HELD_OUT for part in self.parts])

        def found(lights: Lights) -> np.ndarray:
            each = scores[lights]
            found_bad: np.ndarray = each[bad] > np.quantile(each[good], 1 - FALSE_ALARMS, method="higher")
            return found_bad

        n = len(rig)
        alone = np.stack([found((k,)) for k in range(n)])
        together = found(tuple(range(n)))
        without = np.stack([found(tuple(i for i in range(n) if i != k)) for k in range(n)])
        return [
            LightFinding(
                rig.names[k],
                len(bad),
                int(alone[k].sum()),
                int((alone[k] & ~np.delete(alone, k, 0).any(0)).sum()),
                int((together & ~without[k]).sum()),
            )
            for k in range(n)
        ]


def _looked_at(
    captures: CaptureSet, holdout: CaptureSet | None, test: CaptureSet | None
) -> tuple[CaptureSet, CaptureSet | None, CaptureSet | None]:
    """All three without the lights of weight 0."""
    rig = captures.lights
    off = [name for name, weight in zip(rig.names, rig.weights or (), strict=False) if weight == 0]
    if not off:
        return captures, holdout, test
    warnings.warn(f"weight 0 in lights.yaml: the study leaves out {', '.join(off)}", stacklevel=3)
    names = [name for name in rig.names if name not in off]
    for each, what in ((holdout, "held-out captures"), (test, "test captures")):
        if each is not None:
            require_lights(each.lights, rig, what)
    return captures.of_lights(names), holdout and holdout.of_lights(names), test and test.of_lights(names)


def _seen(
    captures: CaptureSet, holdout: CaptureSet, test: CaptureSet | None, first: CaptureSet, config: JointConfig
) -> tuple[CaptureSet, CaptureSet, CaptureSet | None]:
    """All three as the model sees them; whole, as a study has no tiles."""
    options = captures.options or config.imaging
    if options.tile or options.resolution or options.smallest_defect:
        warnings.warn("a study of lights looks at whole captures, not at tiles", stacklevel=3)
        whole = options.model_copy(update={"tile": None, "resolution": None, "smallest_defect": None})
        captures = CaptureSet(
            captures.root, captures.category, captures.split, captures.lights, captures.records, whole
        )
    imaging = learn_imaging(captures, config.image_size, first=first)
    return captures.read_as(imaging), holdout.read_as(imaging), test and test.read_as(imaging)


def _prepared(
    captures: CaptureSet,
    holdout: CaptureSet,
    test: CaptureSet | None,
    config: JointConfig,
    cache_dir: str | Path | None,
    device: str,
    on_parts: Progress | None,
) -> Prepared:
    """Read from the cache, or made and put there."""
    pin_float32()
    torch.manual_seed(config.seed)
    model = build_model(config, len(captures.lights)).to(device).eval()
    if captures.imaging:  # as `_seen` made it
        look_where(model, captures.imaging)
    weights = captures.lights.weights
    if weights:
        model.trust(weights)
    model.to(device)
    digests = [captures.digest(), holdout.digest(), test.digest() if test else ""]
    settings = config.model_dump(
        mode="json", exclude={"lights", "imaging", "accelerator", "on_light_fault", "tail", "map_sigma"}
    )
    key = json.dumps([1, settings, model.teacher.digest(), *digests, *(weights or ())], sort_keys=True)
    name = "lights-" + hashlib.sha256(key.encode()).hexdigest()[:16]
    with nullcontext(cache_dir) if cache_dir else tempfile.TemporaryDirectory() as folder:
        store = Path(folder)
        with locked_file(store / f".{name}.lock"):
            if (store / name).is_dir():
                return Prepared.load(store / name, model)
            prepared: Prepared = prepare(model, captures, holdout, test, config, store, digests[0], on_parts)
            if cache_dir:
                prepared.save(store / name)
            return prepared


def _names(rig: LightRig, lights: Sequence[int]) -> tuple[str, ...]:
    return tuple(rig.names[k] for k in lights)

"""From good captures to a run folder: the family's fit, then the threshold and the card."""

import warnings
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from lightning_fabric import Fabric
from lightning_fabric.utilities.seed import seed_everything

from afrd import __version__
from afrd.card import Lights, ModelCard
from afrd.checkpoint import load_card, save_model, save_teacher, trained_digest
from afrd.datasets import CaptureSet, require_lights, verify
from afrd.datasets.known_defects import require_no_good_part
from afrd.errors import ModelError, RunError
from afrd.families import FAMILIES, HeldOutScores, Job, TrainConfig, able_to, build_model, family_of
from afrd.imaging import Imaging
from afrd.model import MultiLightModel
from afrd.model.precision import pin_float32
from afrd.progress import Progress
from afrd.training.false_alarms import require_enough
from afrd.training.holdout import question_outlier, split_holdout
from afrd.training.imaging import learn_imaging, look_where
from afrd.training.promises import promises
from afrd.training.record import RunRecord
from afrd.training.rig_look import RigLook, learn_rig, verify_lit
from afrd.training.run_folder import Epoch, locked, prepare, require_free, tidy
from afrd.training.squares import Squares


def train(
    captures: CaptureSet,
    out: str | Path,
    config: TrainConfig | None = None,
    *,
    holdout: CaptureSet | None = None,
    known_defects: CaptureSet | None = None,
    region_of: Imaging | None = None,
    resume: bool = False,
    resumable: bool = True,
    cache_dir: str | Path | None = None,
    on_imaging: Callable[[Imaging], None] | None = None,
    on_needed: Callable[[int, str], None] | None = None,
    on_features: Progress | None = None,
    on_epoch: Callable[[Epoch, int], None] | None = None,
) -> ModelCard:
    """Train on good captures and leave a run folder that `Inspector.load` takes.

    config: a TrainConfig, whose fusion names the family of the model; None is the default one.
    holdout: good captures for the threshold; None holds out `config.holdout_share` of `captures`.
    known_defects: defective captures that are there anyway (`afrd.datasets.read_known_defects`): they say which of the
        painted kinds count.
    region_of: as what an earlier model saw its captures: where it looked, this one looks, and it reads values as that
        one did, whatever the options say and these captures show.
    resume: continue the run in `out`, if there is one; without it `out` must not hold a run.
    resumable: keep the last whole epoch; it is three times the trained weights, written after every epoch.
    cache_dir: where features on disk go and stay for other runs; None puts them into `out` until the run is finished.
        Distillation alone writes them, where they do not fit memory or it is asked to. Features of all lights that lie
        there serve joint and every fusion of distillation, for the threshold too.
    on_imaging(as what captures are seen), before the long work;
    on_needed(bytes, "memory" or "disk"): what the teacher's features will take, before they are written;
    on_features(done, captures to read; the joint model reads copies of each, too, and some with painted defects);
    on_epoch(epoch, epochs): progress.
    Raises DatasetError (damaged captures, captures that are not good, too few, known defects that are) before anything
    is written; RunError (a run in the way, another configuration, training that diverged); ModelError (a model that
    does not learn from known defects).
    """
    config, out = config or TrainConfig(), Path(out)
    if not resume:
        require_free(out)
    if config.lights is not None:
        captures = captures.of_lights(config.lights)
        holdout = holdout and holdout.of_lights(config.lights)
        known_defects = known_defects and known_defects.of_lights(config.lights)
    captures = captures.with_options(config.imaging)
    if region_of:
        repairs = captures.options.repairs_on_reading if captures.options else False
        captures = captures.read_as(Imaging(pixels=region_of.pixels, repairs=repairs))
    if len(captures.lights) == 1:
        warnings.warn(
            "one light: what it does not show is not found; other lights, one picture each, would tell more",
            stacklevel=2,
        )
    for part, views in captures.missing_views(captures.view_names).items():
        warnings.warn(f"part {part}: has no view {', '.join(views)}, which other training parts have", stacklevel=2)
    holdout = holdout and holdout.read_as(captures.imaging)
    first = captures[:1]  # which may be held out
    captures, holdout = split_holdout(captures, holdout, config)
    config = config.resolved(captures)
    family = family_of(config.fusion)
    require_enough(family.scored_parts(config, captures, holdout), config.false_alarm_rate, config.tail)
    imaging = learn_imaging(captures, config.image_size, region_of, first)
    captures, holdout = captures.read_as(imaging), holdout.read_as(imaging)
    captures.squares = holdout.squares = Squares(config.memory_gb)
    known = _known(known_defects, captures, holdout, config.fusion)
    config = config.model_copy(update={"imaging": captures.options})
    family.require(config, captures)
    fabric = launch(config)
    seed_everything(config.seed, verbose=False)
    model = build_model(config, len(captures.lights))
    look_where(model, imaging)
    if on_imaging:
        on_imaging(imaging)
    if captures.lights.weights and not model.trust(captures.lights.weights):
        able = ", ".join(name for each in FAMILIES if each.weighs_lights for name in each.names)
        warnings.warn(
            f"the weights of lights in lights.yaml: without effect on the model {config.fusion}; "
            f"choose --fusion {able}",
            stacklevel=2,
        )
    if fabric.is_global_zero:
        verify_lit(captures, holdout)
        if known:
            verify(known)
    record = RunRecord(
        afrd_version=__version__,
        category=captures.category,
        captures=len(captures),
        holdout=len(holdout),
        data_digest=captures.digest(),
        holdout_digest=holdout.digest(),
        known_defects=len(known or ()),
        known_digest=known.digest() if known else None,
        lights=Lights.of(captures.lights),
        teacher_digest=model.teacher.digest(),
        config=config,
    )
    job = Job(
        fabric=fabric,
        config=config,
        out=out,
        store=Path(cache_dir) if cache_dir else out / "features",
        data_digest=record.data_digest,
        holdout_digest=record.holdout_digest,
        resumable=resumable,
        known=known,
        on_needed=on_needed,
        on_features=on_features,
        on_epoch=on_epoch,
    )
    with locked(out) if fabric.is_global_zero else nullcontext():
        if fabric.is_global_zero:
            prepare(out, record, resume)
        if not fabric.broadcast((out / "model.yaml").is_file()):
            if fabric.is_global_zero:
                save_teacher(out, model.teacher)
            look = learn_rig(captures, config.image_size) if fabric.is_global_zero else None
            job = replace(job, rig=look and look["rig_reference"])
            held_out = family.fit(model, captures, holdout, job)  # None in the further processes
            if held_out is not None and look is not None:
                save_model(out, model, _card(model, record, held_out, captures, holdout, look))
            fabric.barrier()
        if fabric.is_global_zero:
            tidy(out)
    return load_card(out)


def _known(known: CaptureSet | None, captures: CaptureSet, holdout: CaptureSet, fusion: str) -> CaptureSet | None:
    """Read as the captures are. Raises ModelError, DatasetError: they cannot be learned from."""
    if known is None:
        return None
    if not family_of(fusion).capabilities.known_defects:
        can = ", ".join(able_to("known_defects"))
        raise ModelError(f"fusion {fusion}: learns nothing from known defects; leave them out, or take one of {can}")
    require_lights(known.lights, captures.lights, known.root)
    require_no_good_part(known, (captures, holdout))
    return known.read_as(captures.imaging)


def launch(config: TrainConfig) -> Fabric:
    """Lightning's Fabric as the config asks. Raises RunError: what the machine has not."""
    settings = config.fabric()
    pin_float32()
    try:
        fabric = Fabric(**settings)
        fabric.launch()
    except (ValueError, RuntimeError) as error:  # Fabric's own checks of names and of what the machine has
        raise RunError(f"{' '.join(f'--{name} {value}' for name, value in settings.items())}: {error}") from error
    return fabric


def _card(
    model: MultiLightModel,
    record: RunRecord,
    held_out: HeldOutScores,
    captures: CaptureSet,
    holdout: CaptureSet,
    look: RigLook,
) -> ModelCard:
    config = record.config
    doubtful = question_outlier(held_out.captures or holdout, held_out.clean or held_out.scores)
    return ModelCard(
        afrd_version=__version__,
        category=record.category,
        captures=held_out.fitted or record.captures,
        teacher=config.teacher,
        teacher_digest=record.teacher_digest,
        trained_digest=trained_digest(model),
        fusion=config.fusion,
        capabilities=family_of(config.fusion).capabilities,
        lights=record.lights,
        image_size=config.image_size,
        top_share=config.top_share,
        **promises(held_out, holdout, config, model.highest, doubtful),
        map_sigma=family_of(config.fusion).map_sigma(config),
        views=captures.view_names,
        imaging=captures.imaging,
        on_light_fault=config.on_light_fault,
        **look,
        config=config.model_dump(mode="json"),
    )

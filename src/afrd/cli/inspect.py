"""The commands that look at captures with a trained model: evaluate, predict, report."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from afrd.cli.options import Category, Compile, Data, Device, MemoryGb, OnLightFault, Pattern, Run, Runtime, Split


def evaluate(
    run: Run,
    data: Data,
    category: Category = None,
    split: Split = "test_public",
    json: Annotated[Path | None, typer.Option(help="Write all figures, and each capture's, to this file.")] = None,
    memory_gb: MemoryGb = 2.0,
    on_light_fault: OnLightFault = None,
    pattern: Pattern = None,
    device: Device = "cpu",
    runtime: Runtime = "auto",
    compile: Compile = False,
) -> None:
    """Compare verdicts, scores and maps with the labels of a split."""
    from rich.console import Console

    from afrd.evaluation import print_evaluation
    from afrd.files import require_file_target

    if json:
        require_file_target(json)
    evaluation, _ = _evaluate(run, data, category, split, on_light_fault, pattern, device, runtime, memory_gb, compile)
    print_evaluation(evaluation, Console())
    if json:
        evaluation.write_json(json)


def predict(
    run: Run,
    captures: Annotated[
        list[Path], typer.Argument(help="Folders with one image per light, or with such, or with labels of such.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for maps, overlays and contact sheets.")],
    jsonl: Annotated[Path | None, typer.Option(help="Write one JSON line per capture to this file.")] = None,
    maps: Annotated[Literal["png16", "npy"], typer.Option(help="Format of the anomaly maps.")] = "png16",
    pictures: Annotated[bool, typer.Option(help="Write overlays and contact sheets beside the maps.")] = True,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace answers that are in --out or --jsonl already.")
    ] = False,
    missing: Annotated[
        list[str] | None,
        typer.Option(help="Name of a light that is out of order; its images are not looked at and need not be there."),
    ] = None,
    on_light_fault: OnLightFault = None,
    rig_state: Annotated[
        Path | None,
        typer.Option(help="Go on watching the rig's drift from this file, if it is there, and write it at the end."),
    ] = None,
    pattern: Pattern = None,
    device: Device = "cpu",
    runtime: Runtime = "auto",
    compile: Compile = False,
) -> None:
    """Give a verdict, a score and a heat map for captures without labels."""
    import json
    from collections import Counter
    from contextlib import nullcontext
    from typing import get_args

    from afrd.datasets import read_captures
    from afrd.errors import RunError
    from afrd.evaluation.parts import judge_parts
    from afrd.files import require_file_target, require_folder_target, write_text
    from afrd.inspection import Verdict
    from afrd.inspector import Inspector
    from afrd.prediction import predict as run_prediction

    require_folder_target(out)
    if rig_state:
        require_file_target(rig_state)
    if jsonl:
        require_file_target(jsonl)
        if jsonl.is_file() and jsonl.stat().st_size and not overwrite:
            raise RunError(f"{jsonl}: holds answers already; choose another --jsonl, or pass --overwrite")
        jsonl.parent.mkdir(parents=True, exist_ok=True)
    inspector = Inspector.load(run, device, runtime, compile=compile, on_light_fault=on_light_fault)
    of_some = inspector.card.config.get("lights") is not None  # trained on some of the rig's lights
    inspector.missing_lights(missing or ())
    absent = (missing or ()) if inspector.can_leave_out else None
    found = read_captures(captures, inspector.lights, pattern=pattern, other_lights=of_some, missing=absent)
    found = found.read_as(inspector.imaging)
    answers = run_prediction(
        inspector, found, out, map_format=maps, overwrite=overwrite, missing=missing or (), pictures=pictures
    )
    monitor = _monitor(inspector, rig_state)
    if rig_state and (monitor is None or missing):
        why = "without a light the whole rig is not told" if monitor else "the model was trained on too few captures"
        warnings.warn(f"--rig-state {rig_state}: without effect; {why}", stacklevel=2)
    counts: Counter[str] = Counter()
    seen: list[tuple[str, Verdict, float]] = []
    try:
        # line by line, so that what was answered is kept whatever happens later
        with jsonl.open("w", encoding="utf-8") if jsonl else nullcontext() as lines:
            for inspection, line in answers:
                shown = f"  shown by {line['shown_by']}" if line["shown_by"] else ""
                would_be = f" (would be {inspection.would_be})" if inspection.would_be else ""
                typer.echo(f"{inspection.verdict + would_be:11}  {inspection.score:.4f}  {inspection.id}{shown}")
                counts[inspection.verdict] += 1
                if monitor and inspection.rig_deviations is not None:
                    monitor.add(inspection.rig_deviations, inspection.id)
                for note in (*inspection.light_notes, *inspection.rig_notes):
                    typer.echo(f"  {inspection.id}: {note}", err=True)
                if found.views:
                    comparable = inspection.score * inspector.threshold / inspection.threshold
                    seen.append((inspection.id, inspection.verdict, comparable))
                if lines:
                    lines.write(json.dumps(line, ensure_ascii=False) + "\n")
                    lines.flush()
            lacking = found.missing_views(inspector.card.views)
            for part in judge_parts(found.groups, seen, lacking) if seen else ():
                without = f", without view {', '.join(part.missing)}" if part.missing else ""
                typer.echo(f"{part.verdict:11}  {part.score:.4f}  part {part.id}, worst view {part.worst}{without}")
                if lines:
                    line = {"part": part.id, "verdict": part.verdict, "score": part.score, "worst": part.worst}
                    line["missing_views"] = list(part.missing)
                    lines.write(json.dumps(line, ensure_ascii=False) + "\n")
    finally:  # a damaged file, or Ctrl-C, must not cost what the captures before it said of the rig
        if monitor and rig_state:
            write_text(rig_state, monitor.state() + "\n")
    verdicts = ", ".join(f"{counts[verdict]} {verdict}" for verdict in get_args(Verdict))
    typer.echo(f"{counts.total()} captures: {verdicts}", err=True)
    for drift in monitor.drifts if monitor else ():
        typer.echo(f"the rig drifted: {drift.words(inspector.lights.names)}", err=True)


def _monitor(inspector, state: Path | None):
    """Of the rig's drift; None where the model does not know the rig. Raises ModelError: the state does not fit."""
    from afrd.errors import ModelError
    from afrd.rig import RigMonitor

    rig = inspector.card.rig_reference
    if rig is None:
        return None
    if state is None or not state.exists():
        return RigMonitor(rig)
    try:
        return RigMonitor(rig, state=state.read_text(encoding="utf-8"))
    except ModelError as error:
        raise ModelError(f"{state}: {error}") from error
    except UnicodeDecodeError as error:
        raise ModelError(f"{state}: state of the rig's monitor: not UTF-8 text; start without it") from error


def report(
    run: Run,
    data: Data,
    out: Annotated[Path, typer.Option(help="HTML file to write.")],
    category: Category = None,
    split: Split = "test_public",
    memory_gb: MemoryGb = 2.0,
    on_light_fault: OnLightFault = None,
    pattern: Pattern = None,
    device: Device = "cpu",
    runtime: Runtime = "auto",
) -> None:
    """Write one HTML file: figures, curves, and the best and worst captures under all their lights."""
    from afrd.evaluation import write_report
    from afrd.files import require_file_target

    require_file_target(out)
    evaluation, captures = _evaluate(run, data, category, split, on_light_fault, pattern, device, runtime, memory_gb)
    write_report(out, evaluation, captures)
    typer.echo(f"wrote {out}")


def _evaluate(
    run: Path,
    data: Path,
    category: str | None,
    split: str,
    on_light_fault: OnLightFault,
    pattern: str | None,
    device: str,
    runtime: str,
    memory_gb: float,
    compile: bool = False,
):
    from afrd.cli.bars import bar
    from afrd.datasets import open_dataset, require_lights
    from afrd.evaluation import evaluate
    from afrd.inspector import Inspector

    inspector = Inspector.load(run, device, runtime, compile=compile, on_light_fault=on_light_fault)
    captures = open_dataset(data, category, split, pattern=pattern).picked_for(inspector.lights)
    captures = captures.read_as(inspector.imaging)
    require_lights(captures.lights, inspector.lights, data)
    if inspector.card.category and captures.category and inspector.card.category != captures.category:
        warnings.warn(
            f"{run} was trained on {inspector.card.category} and is evaluated on {captures.category}", stacklevel=2
        )
    with bar("inspecting captures") as progress:
        evaluation = evaluate(inspector, captures, progress=progress, memory_gb=memory_gb)
    if (run / "run.yaml").is_file():
        from afrd.training.record import learned_from

        evaluation = replace(evaluation, learned_from=learned_from(run, captures))
    return evaluation, captures

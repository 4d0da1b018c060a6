"""A process for one long task of a station (`afrd.station.jobs`): learn a version, or ask one about reviewed parts."""

import json
import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from afrd.card import Lights, ModelCard
from afrd.console import prepare_process
from afrd.errors import AfrdError, MissingExtraError
from afrd.files import atomic_folder
from afrd.station.judge import card_to_show, judged_by, load_version
from afrd.station.snapshot import DEFECT, HELD_OUT, LEARNED, SNAPSHOT_FILE, each_once, with_digest, write_snapshot

Task = Mapping[str, Any]
_told = sys.stdout


def train_version(task: Task) -> None:
    """From the captures of `task` to a run folder with its snapshot, at `out`; whole or not there. Then it is asked."""
    out = Path(task["out"])
    rows = each_once(_digested(task), _note)
    from afrd.families import TrainConfig, able_to
    from afrd.imaging import Imaging
    from afrd.training import train
    from afrd.yaml_model import parse

    config = parse(TrainConfig, task["config"], out)
    held_out, defects = _captures(task, rows, HELD_OUT), _captures(task, rows, DEFECT)
    with atomic_folder(out) as temporary:
        train(
            _captures(task, rows, LEARNED),
            temporary,
            config,
            holdout=held_out if len(held_out) else None,
            region_of=Imaging.model_validate(task["imaging"]) if task["imaging"] else None,
            known_defects=defects if len(defects) and config.fusion in able_to("known_defects") else None,
            resumable=False,
            on_features=lambda done, total: _progress("reading what good parts show", done, total),
            on_epoch=lambda epoch, total: _progress("learning", epoch.epoch, total),
        )
        digest = write_snapshot(temporary / SNAPSHOT_FILE, rows)
    _show(task, out, digest)


def grow_version(task: Task) -> None:
    """From the run of `task` and further good captures to a run folder with its snapshot; else as `train_version`."""
    out, rows = Path(task["out"]), each_once(_digested(task), _note)
    from afrd.checkpoint import load_card
    from afrd.families import family_of

    run, captures = Path(task["run"]), _captures(task, rows, LEARNED)
    family = family_of(load_card(run).fusion)
    with atomic_folder(out) as temporary:
        grown = temporary / "run"
        family.grow(run, captures, grown, lambda done, total: _progress("growing", done, total))
        for file in grown.iterdir():
            file.rename(temporary / file.name)
        grown.rmdir()
        digest = write_snapshot(temporary / SNAPSHOT_FILE, [*task["before"], *rows])
    _show(task, out, digest)


def _show(task: Task, out: Path, snapshot: str) -> None:
    (out / SNAPSHOT_FILE).chmod(0o444)
    name, card = ask_version(task["ask"])
    _say(made={"name": name, "card": card_to_show(card), "snapshot": snapshot})


def ask_version(task: Task) -> tuple[str, ModelCard]:
    """What a version says of each capture of `task`, one message each. Returns its name and card."""
    from afrd.datasets.images import decode, together

    version = load_version(Path(task["model"]), task["threshold"], task["on_light_fault"])
    root = Path(task["root"])
    for done, row in enumerate(task["captures"], 1):
        try:
            images = together([decode((root / name).read_bytes(), Path(name)) for name in row["files"]])
            found = judged_by(version, np.asarray(images), row["id"], task["review"])
        except (AfrdError, OSError) as error:
            _say(note=f"capture {row['id']}: {error}")
        else:
            opinion = {"verdict": found.verdict, "score": found.inspection.score, "threshold": found.threshold}
            _say(opinion={"id": row["id"], "model": task.get("name", version.name), **opinion})
        _progress("asking about reviewed parts", done, len(task["captures"]))
    return version.name, version.inspector.card


def _digested(task: Task) -> list[dict[str, Any]]:
    rows = []
    for row in task["captures"]:
        rows.append(with_digest(row, Path(task["root"])))
        _progress("checking the captures", len(rows), len(task["captures"]))
    return rows


def _captures(task: Task, rows: Sequence[Mapping[str, Any]], role: str):
    from afrd.datasets import CaptureSet, Record

    root = Path(task["root"])
    chosen = [row for row in rows if row["role"] == role]
    records = [
        Record(
            row["id"],
            tuple(root / name for name in row["files"]),
            role == DEFECT,
            (row.get("defect_type") or "defect",) if role == DEFECT else (),
            root / row["mask"] if row.get("mask") else None,
        )
        for row in chosen
    ]
    return CaptureSet(root, task["category"], None, Lights.model_validate(task["lights"]).rig(), records)


_WORK: dict[str, Callable[[Task], Any]] = {"train": train_version, "grow": grow_version, "ask": ask_version}


def _progress(phase: str, done: int, total: int) -> None:
    _say(phase=phase, done=done, total=total)


def _note(text: str) -> None:
    _say(note=text)


def _say(**message: Any) -> None:
    print(json.dumps(message), file=_told, flush=True)


def main() -> None:
    """The task comes on standard input."""
    os.nice(10)
    prepare_process()
    sys.stdout = sys.stderr  # what libraries print is for the log
    task = json.load(sys.stdin)
    warnings.showwarning = lambda message, *_: _say(note=str(message))
    try:
        _WORK[task["work"]](task)
    except AfrdError as error:
        _say(error=str(error))
        sys.exit(1)
    except ModuleNotFoundError as error:
        missing = MissingExtraError.of(error)
        if missing is None:
            raise
        _say(error=str(missing))
        sys.exit(1)


if __name__ == "__main__":
    main()

"""Export a run: write, load as a station would, compare, and only then give the files their names."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from afrd import __version__
from afrd.capture import Capture
from afrd.card import ModelCard
from afrd.checkpoint import load_model
from afrd.datasets import CaptureSet, require_lights
from afrd.errors import DatasetError, ModelError
from afrd.export.comparison import TOLERANCES, Comparison, compare
from afrd.export.precision import calibration, require_calibration, spread
from afrd.export.writing import require_packages, write
from afrd.families import able_to
from afrd.files import atomic_path, require_file_target
from afrd.imaging import Imaging
from afrd.inspector import Inspector
from afrd.progress import Progress
from afrd.runtimes import SUFFIXES, ArtefactCard, Input, Precision, Target
from afrd.runtimes.torch_runtime import TorchRuntime

COMPARED = 32  # captures, at most, where no split is given for it


@dataclass(frozen=True)
class ExportReport:
    """files: what to copy to the station, together; the last one is loaded. bytes: of all of them."""

    files: tuple[Path, ...]
    bytes: int
    card: ArtefactCard
    comparison: Comparison

    def lines(self) -> list[str]:
        """For a reader."""
        names = " and ".join(str(file) for file in self.files)
        input = self.card.input
        shape = [len(self.card.model.lights.names), input.channels, input.height, input.width]
        takes = f"takes [B, {', '.join(map(str, shape))}] {input.dtype}"
        return [*self.comparison.lines(), f"wrote {names}, {self.bytes / 1e6:.1f} MB; {takes}"]


def export_run(
    run: Path,
    captures: Sequence[Capture],
    out: Path,
    *,
    to: Target,
    precision: Precision = "fp32",
    compare_on: Sequence[Capture] | None = None,
    progress: Progress | None = None,
) -> ExportReport:
    """A finished run as one artefact that computes the same.

    captures: good ones as the station takes them; their size and depth become the artefact's, int8 is calibrated with
        up to 64 of them.
    out: .onnx, .xml (OpenVINO; a .bin comes with it) or .pt2 (torch), as `to` says; replaced if it exists.
    compare_on: labelled captures, so that I-AUROC is compared too, all of them. Default: 32 of `captures`, evenly
        spread.
    progress: called with (captures compared, captures to compare).

    Raises RunError: no run, unfinished, damaged; DatasetError: captures under other lights, of several sizes, unfit to
    calibrate; ModelError: a wrong suffix, an artefact that answers otherwise than the run (nothing is written then);
    MissingExtraError.
    """
    run, out = Path(run), Path(out)
    _require_suffix(out, to)
    require_packages(to, precision)
    require_file_target(out)
    model, model_card = load_model(run)
    if precision == "int8" and not model_card.capabilities.int8:
        raise ModelError(
            f"precision int8: {run} is a {model_card.fusion} model, whose answers int8 rounds away "
            f"(docs/export.md); use fp16 or fp32, or train with --fusion {', '.join(able_to('int8'))}"
        )
    compare_on = _some(captures) if compare_on is None else compare_on
    if model_card.imaging:
        captures, compare_on = (_read_as(group, model_card.imaging) for group in (captures, compare_on))
    input = _input(captures, compare_on, model_card)
    if precision == "int8":
        require_calibration(captures)
    card = ArtefactCard(afrd_version=__version__, runtime=to, precision=precision, input=input, model=model_card)
    out.parent.mkdir(parents=True, exist_ok=True)
    # beside `out`, so that the last step is a rename
    folder = Path(mkdtemp(prefix=f".{out.stem[:200]}.", suffix=".tmp", dir=out.parent))
    try:
        files = write(model, card, captures, folder / out.name)
        comparison = compare(
            Inspector(TorchRuntime(model, model_card, None, "cpu"), check_lights=False),
            Inspector.load(files[-1], check_lights=False),  # the two graphs, whatever the lights of a capture
            compare_on,
            TOLERANCES[precision],
            progress,
        )
        if comparison.failures:
            raise ModelError(
                f"{out}: not written, as it does not answer as {run} does: {'; '.join(comparison.failures)}"
                + ("" if precision == "fp32" else "; take --precision fp32")
                + "\n"
                + "\n".join(comparison.lines())
            )
        size = sum(file.stat().st_size for file in files)
        for file in files:
            with atomic_path(out.with_name(file.name)) as temporary:
                file.replace(temporary)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return ExportReport(tuple(out.with_name(file.name) for file in files), size, card, comparison)


def _require_suffix(out: Path, to: Target) -> None:
    if to not in SUFFIXES:
        raise ModelError(f"target {to!r}: unknown; choose one of {', '.join(SUFFIXES)}")
    if out.suffix != SUFFIXES[to]:
        raise ModelError(f"{out}: an artefact for {to} ends in {SUFFIXES[to]}; name it {out.with_suffix(SUFFIXES[to])}")


def _input(captures: Sequence[Capture], compare_on: Sequence[Capture], card: ModelCard) -> Input:
    """What all captures look like. Raises DatasetError: none, other lights, several sizes or depths."""
    found = None
    for group in (captures, compare_on):
        if not len(group):
            raise DatasetError("no captures; export needs some, to compare the artefact's answers with the run's")
        for i in calibration(group):
            capture = group[i]
            require_lights(capture.lights, card.lights.rig(), f"capture {capture.id}")
            channels, height, width = capture.tiles[0].shape[1:]
            input = Input(channels=channels, height=height, width=width, dtype=capture.images.dtype.name)
            if found not in (None, input):
                raise DatasetError(
                    f"capture {capture.id}: {_look(input)}, others are {_look(found)}; an artefact takes one size, "
                    f"depth and number of channels: pass captures of one station"
                )
            found = input
    return found


def _look(input: Input) -> str:
    return f"{input.dtype} of {input.width}×{input.height} in {'grey' if input.channels == 1 else 'colour'}"


def _read_as(captures: Sequence[Capture], imaging: Imaging) -> Sequence[Capture]:
    return captures.read_as(imaging) if isinstance(captures, CaptureSet) else captures


def _some(captures: Sequence[Capture]) -> Sequence[Capture]:
    """At most COMPARED of them, evenly."""
    indices = spread(len(captures), COMPARED)
    return captures.subset(indices) if hasattr(captures, "subset") else [captures[i] for i in indices]

"""The test captures as a disturbed station would have taken them, and what the light check says of them.

Nothing is written but the light check's answers, a small file beside the shared features. Knows no methods.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType

from afrd.capture import Capture
from afrd.datasets import CaptureSet, read_ahead
from afrd.disturb import Disturbance, disturb_capture, disturbance, dust, effects
from afrd.errors import DisturbanceError
from afrd.fail_safe import light_faults_in_words
from afrd.files import locked_file, write_text
from afrd.imaging import dead_pixels
from afrd.rig import light_check, light_signature
from afrd.rig.light_check import LightReference


class DisturbedCaptures(Sequence[Capture]):
    """Captures of a set, each disturbed when it is asked for; the same for every method and seed.

    What the set's reader takes out of any capture, hot pixels, is taken out of these, too.
    """

    def __init__(self, captures: CaptureSet, by: Disturbance) -> None:
        self.captures, self.by, self.imaging = captures, by, captures.imaging

    def __len__(self) -> int:
        return len(self.captures)

    def __getitem__(self, index: int) -> Capture:
        """Raises DatasetError: a damaged file; DisturbanceError: not for this capture."""
        capture = disturb_capture(self.captures[index], self.by)
        if not (self.imaging and self.imaging.repairs):
            return capture
        images, replaced = dead_pixels.replace(capture.images, self.imaging.repairs == "hot")
        return replace(capture, images=images, replaced=(*capture.replaced, *replaced))


def copy_digest(of_captures: str, of: Disturbance | None) -> str:
    """Of the disturbed captures, from the digest of those on disk; that one itself where nothing is disturbed.

    Another way to disturb is another digest, so that no features of an older one are taken for it.
    """
    if of is None:
        return of_captures
    return hashlib.sha256(f"{of_captures} {of} {_code(effects, dust, disturbance, dead_pixels)}".encode()).hexdigest()


def light_faults(
    captures: Sequence[Capture], digest: str, reference: LightReference | None, store: Path
) -> list[list[str]] | str:
    """What the light check says of each capture, in words; or why the captures cannot be disturbed so.

    digest: of the captures. reference: None for no light check. store: where every process finds the answer again.
    """
    known = reference.model_dump_json() if reference else ""
    name = hashlib.sha256(f"{digest} {known} {_code(light_check, light_signature)}".encode()).hexdigest()[:16]
    path = store / f"lights-{name}.json"
    with locked_file(store / "features.lock"):
        if not path.is_file():
            write_text(path, json.dumps(_look(captures, reference)))
    return json.loads(path.read_text(encoding="utf-8"))


def _look(captures: Sequence[Capture], reference: LightReference | None) -> list[list[str]] | str:
    try:
        return [
            list(light_faults_in_words(reference.check(capture.images), capture.lights.names)) if reference else []
            for capture in read_ahead(captures)
        ]
    except DisturbanceError as error:
        return str(error)


@cache
def _code(*modules: ModuleType) -> str:
    """Of the source of modules."""
    return hashlib.sha256(b"".join(Path(module.__file__).read_bytes() for module in modules)).hexdigest()

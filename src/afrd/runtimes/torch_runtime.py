"""The model of a run folder, batch norms folded, and its exported program (`.pt2`), both computed by torch."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch.export.passes import move_to_device_pass

from afrd.card import ModelCard
from afrd.checkpoint import load_model
from afrd.errors import ModelError, RunError
from afrd.imaging.resizing import resize
from afrd.model.compilation import compiled
from afrd.model.folding import fold_batch_norms
from afrd.model.precision import pin_float32
from afrd.runtimes.artefact import CARD_KEY, ON_GPU, Answer, Input, damaged, parse_card

CARD_FILE = f"{CARD_KEY}.json"


class TorchRuntime:
    """module: takes images [B, N, C, H, W] on `device`, gives anomaly map, score and light weights."""

    name = "torch"

    def __init__(self, module: torch.nn.Module, card: ModelCard, input: Input | None, device: str) -> None:
        self.module, self.card, self.input, self.device = module, card, input, device
        self.at_once = 1 if device == "cpu" else ON_GPU
        self._compiled = module  # until `compile`
        self.can_leave_out = input is None and card.capabilities.leave_out  # an exported graph is fixed

    def compile(self) -> None:
        """Faster after the first answer, which takes a minute. Raises ModelError: no C++ compiler.

        Where a light is left out nothing is compiled: that would take another minute, on the line, for each light.
        """
        self._compiled = compiled(self.module)

    @torch.inference_mode()
    def run(self, images: np.ndarray, left_out: Sequence[int] = ()) -> Answer:
        if self.input is None:
            images = resize(images, (self.module.image_size,) * 2)
        images = torch.from_numpy(images).to(self.device)
        kept = {"lights": set(range(self.module.lights)) - set(left_out)} if left_out else {}
        # a capture is N images already; on a processor, more at once leave its cache and take twice as long
        parts = images.split(1) if images.device.type == "cpu" else [images]
        module = self.module if left_out else self._compiled
        answers = [module(part, **kept) for part in parts]
        return Answer(*(torch.cat(part).float().cpu().numpy() for part in zip(*answers, strict=True)))


def open_runtime(path: Path, device: str) -> TorchRuntime:
    """See `afrd.runtimes.open_runtime`. device: cpu, cuda, cuda:1, mps."""
    pin_float32()
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"device {device!r}: not usable here ({reason}); use cpu, or cuda with a GPU") from error
    if path.suffix == ".pt2" and path.is_file():
        return _exported(path, device)
    model, card = load_model(path)
    return TorchRuntime(fold_batch_norms(model).to(device), card, None, device)


def _exported(path: Path, device: str) -> TorchRuntime:
    # read by ourselves first: torch reports a damaged archive in many unrelated ways
    try:
        with zipfile.ZipFile(path) as archive:
            if (broken := archive.testzip()) is not None:
                raise zipfile.BadZipFile(f"checksum of {broken}")
            names = [name for name in archive.namelist() if name.endswith(f"extra/{CARD_FILE}")]
            text = archive.read(names[0]).decode() if names else None
    except (zipfile.BadZipFile, EOFError, UnicodeDecodeError) as error:
        raise damaged(path, error) from error
    card = parse_card(text, path)
    try:
        program = torch.export.load(path)
    except (RuntimeError, ValueError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise RunError(f"{path}: torch {torch.__version__} cannot read it ({reason}); export it again") from error
    if device != "cpu":
        program = move_to_device_pass(program, device)
    return TorchRuntime(program.module(), card.model, card.input, device)

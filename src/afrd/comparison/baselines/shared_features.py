"""What the frozen teacher says of single images, stored once for every baseline that reads it, every seed and light.

One record an image: its levels at strides 4, 8, 16 and 32 and the pooled features behind them, from one pass. It goes
by the teacher's tensors and the image as the teacher sees it, so that whoever asks for the same image finds it:

    images-<teacher>/<image>.safetensors     single precision: scores are to the bit those of a pass of one's own
    images-<teacher>/<images>.lock           one process at a time computes what such a set of images lacks

At 256² a record takes 0.76 MB with EfficientNet-Lite0 and 7.9 MB with Wide ResNet-50-2: for 10 classes of 152 captures
under 6 lights and as mean images 8 GB and 84 GB. Records may be deleted. Knows no methods and no light policies.
"""

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import timm
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from afrd.comparison.baselines import backbone as backbones
from afrd.comparison.job import Settings
from afrd.errors import RunError
from afrd.files import atomic_path, locked_file
from afrd.model.weights import Normalisation, tensors_digest

STRIDES = (4, 8, 16, 32)
POOLED = "pooled"


def share(settings: Settings, store: Path, images: Sequence[np.ndarray]) -> None:
    """See to it that the settings' teacher has read all images: of several sets, uint8 [M, 3, S, S] each.

    Raises RunError: more than the disk has free; WeightsError.
    """
    backbone, normalisation = backbones.load(settings)
    features = SharedFeatures(backbone, store)
    for each in images:
        features.fill(each, normalisation)


class SharedFeatures:
    """Levels by the names of their modules (`backbone.layer_names`), and POOLED: what the classifier would read.

    backbone: a whole timm classifier; it is put in eval mode at every pass.
    store: folder shared by all jobs; None to compute at every call, with the same result.
    """

    def __init__(self, backbone: nn.Module, store: Path | None = None) -> None:
        self.backbone = backbone
        by_stride = {level["reduction"]: level["module"] for level in backbone.feature_info}
        self.layers = [by_stride[stride] for stride in STRIDES if stride in by_stride]
        names = [level["module"] for level in backbone.feature_info]
        self.indices = [names.index(layer) for layer in self.layers]
        self.folder = Path(store) / f"images-{_digest(backbone)}" if store else None

    def fill(self, images: np.ndarray, normalisation: Normalisation) -> None:
        """Store what is not stored yet of images uint8 [M, 3, S, S]. Raises RunError: no room for them."""
        name = hashlib.sha256(np.ascontiguousarray(images)).hexdigest()[:32]
        left, room_is_checked = len(images), False
        with locked_file(self.folder / f"{name}.lock"):
            for image in (image for batch in backbones.batches(images, normalisation) for image in batch):
                path = self._path(image)
                if not path.is_file():
                    record = self._compute(image)
                    if not room_is_checked:
                        self._require_room(left * sum(tensor.nbytes for tensor in record.values()))
                        room_is_checked = True
                    _write(path, record)
                left -= 1

    def read(self, images: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
        """images: [B, 3, S, S], normalised. Returns [B, C, h, w] by layer, [B, D] for POOLED.

        Raises RunError: a damaged record.
        """
        records = [self._read(image, names) for image in images]
        return {name: torch.stack([record[name] for record in records]) for name in names}

    def _read(self, image: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
        if not self.folder:
            return self._compute(image)
        path = self._path(image)
        if not path.is_file():
            _write(path, self._compute(image))
        try:
            with safe_open(path, "pt") as record:
                return {name: record.get_tensor(name) for name in names}
        except (SafetensorError, OSError) as error:
            raise RunError(f"{path}: damaged ({error}); delete it and run again") from error

    @torch.no_grad()
    def _compute(self, image: Tensor) -> dict[str, Tensor]:
        """Alone, so that the result does not depend on what else is missing."""
        self.backbone.eval()  # models that hold it take it along to training mode
        last, levels = self.backbone.forward_intermediates(image[None], indices=self.indices, output_fmt="NCHW")
        record = dict(zip(self.layers, levels, strict=True)) | {
            POOLED: self.backbone.forward_head(last, pre_logits=True)
        }
        return {name: tensor[0].contiguous() for name, tensor in record.items()}

    def _path(self, image: Tensor) -> Path:
        digest = hashlib.sha256(str(tuple(image.shape)).encode())
        digest.update(image.contiguous().numpy())
        return self.folder / f"{digest.hexdigest()[:32]}.safetensors"

    def _require_room(self, needed: int) -> None:
        free = shutil.disk_usage(self.folder).free
        if needed > 0.95 * free:
            raise RunError(
                f"{self.folder}: features take {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free: make room, or "
                f"pass --out on a larger disk; those of classes that are done may be deleted"
            )


class SharedExtractor(nn.Module):
    """In place of anomalib's `feature_extractor`: normalised images [B, 3, S, S] → levels by layer name."""

    def __init__(self, features: SharedFeatures, layers: Sequence[str]) -> None:
        super().__init__()
        self.features, self.layers = features, list(layers)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return self.features.read(images, self.layers)


def _write(path: Path, record: dict[str, Tensor]) -> None:
    with atomic_path(path) as temporary:
        save_file(record, temporary)


def _digest(backbone: nn.Module) -> str:
    """Of all that decides on the features.

    Not of the classifier, which is at random where a file lacks it, nor of the counters of batches, which go up when
    torchvision traces a backbone.
    """
    classifier = backbone.pretrained_cfg["classifier"]
    heads = tuple(f"{name}." for name in ((classifier,) if isinstance(classifier, str) else classifier))
    tensors = {
        name: tensor
        for name, tensor in backbone.state_dict().items()
        if not name.startswith(heads) and not name.endswith("num_batches_tracked")
    }
    parts = [timm.__version__, backbone.pretrained_cfg["architecture"], STRIDES, tensors_digest(tensors)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

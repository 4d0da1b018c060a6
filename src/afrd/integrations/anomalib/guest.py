"""A model of anomalib behind the form of ours: lights in; map, score and a threshold from held-out good parts out.

anomalib's Engine fits the class as its authors wrote it, with its own pre-processing, on one image a capture (the mean
of the lights) or on every light as an image of its own. A class that takes a backbone from outside gets the teacher,
so that nothing is downloaded, its levels by stride: as many as the class has by default, the last at stride 16. Its
post-processing and thresholds are left out: the ones here are the same for every model that is compared.
"""

import inspect
import json
import logging
import warnings
from collections.abc import Mapping
from copy import deepcopy
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from anomalib import models
from anomalib.data import ImageBatch, ImageItem
from anomalib.engine import Engine
from anomalib.models import AnomalibModule
from anomalib.pre_processing import PreProcessor
from lightning.pytorch import LightningDataModule
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.v2 import CenterCrop, Compose, Normalize, Resize
from torchvision.tv_tensors import Mask

from afrd.datasets import CaptureSet, read_ahead
from afrd.errors import ModelError, WeightsError
from afrd.families import HeldOutScores, Job
from afrd.families.anomalib import AnomalibConfig
from afrd.model.multi_light import MultiLightModel, Prediction
from afrd.model.teacher import Teacher

STRIDES = (4, 8, 16)
FEATURES = 100  # PaDiM's for a ResNet-18; anomalib has no number for a backbone from outside
PATCH = 14  # pixels, of the transformers in the classes that take a crop_size


class Guest(MultiLightModel):
    """config: names the class and its arguments. Raises ModelError: no such class, or arguments it does not take."""

    def __init__(self, teacher: Teacher, lights: int, config: AnomalibConfig) -> None:
        super().__init__(teacher, None, lights, config.image_size, config.top_share)
        self.each = config.anomalib.reads == "each"
        module = _module(config, teacher)
        self._module = [module]  # in a list: Lightning's part of it is no part of the model
        self.guest: nn.Module = module.model
        self.prepared_by = module.pre_processor.transform if module.pre_processor else nn.Identity()

    def forward(self, images: Tensor) -> Prediction:
        """images: [B, N, C, H, W], as for `extract`. A class without maps gives its score at every place."""
        pictures = self.pictures(images)
        found = self.guest(self.prepared_by(pictures))
        scores = found.pred_score.flatten().float()
        maps = found.anomaly_map
        maps = scores[:, None, None, None] if maps is None else maps.float().reshape(-1, 1, *maps.shape[-2:])
        size = (self.image_size, self.image_size)
        maps = interpolate(maps, size, mode="bilinear", align_corners=False)[:, 0]
        if self.each:
            maps, scores = (x.view(-1, self.lights, *x.shape[1:]).mean(1) for x in (maps, scores))
        even = torch.full((len(images), 1, self.lights), 1 / self.lights, device=images.device)
        return Prediction(self.within(maps), scores, even)

    def pictures(self, images: Tensor) -> Tensor:
        """images: as for `extract`. What the class reads: [B, 3, S, S] in [0, 1], or [B · N, 3, S, S]."""
        prepared = self.prepare(images).expand(-1, -1, 3, -1, -1)
        return prepared.flatten(0, 1) if self.each else prepared.mean(1)

    def fit(self, captures: CaptureSet, holdout: CaptureSet, job: Job) -> HeldOutScores:
        """Raises ModelError: tiles, which this cannot take."""
        if captures.imaging and captures.imaging.tiling:
            raise ModelError("anomalib models look at the whole part at once: leave out --tile, or take --fusion joint")
        module, settings = self._module[0], job.config.anomalib
        data = _Data(_Pictures(self, captures))
        given = {"max_epochs": settings.epochs} if settings.epochs else {}
        logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
        with TemporaryDirectory() as folder, torch.enable_grad():
            engine = Engine(
                default_root_dir=folder, accelerator="cpu", devices=1, logger=False, enable_progress_bar=False, **given
            )
            try:
                engine.fit(module, datamodule=data)
            except OSError as error:
                raise _no_weights(job.config, error) from error
        self.guest = module.model.cpu()
        self.requires_grad_(False).eval()
        with torch.inference_mode():
            found = [self(lights_of(capture.tiles[0])) for capture in read_ahead(holdout)]
        if min(float(each.anomaly_map.min()) for each in found) < 0:
            warnings.warn(
                f"{job.config.fusion}: its maps fall below 0, which PNG files do not hold; predict with --maps npy",
                stacklevel=2,
            )
        return HeldOutScores([float(each.score) for each in found])

    def size_as(self, state: Mapping[str, Tensor]) -> None:
        """Memory banks and fitted distributions are as large as what was learned from."""
        for name, buffer in list(self.named_buffers()):
            if name in state and state[name].shape != buffer.shape:
                owner, _, last = name.rpartition(".")
                setattr(self.get_submodule(owner), last, torch.empty_like(state[name]))


class _Pictures(Dataset):
    """What the class learns from, one image an item."""

    def __init__(self, guest: Guest, captures: CaptureSet) -> None:
        self.guest, self.captures, self.each = guest, captures, guest.lights if guest.each else 1

    def __len__(self) -> int:
        return len(self.captures) * self.each

    def __getitem__(self, index: int) -> ImageItem:
        capture = self.captures[index // self.each]
        with torch.no_grad():
            pictures = self.guest.pictures(lights_of(capture.tiles[0]))  # as it is inspected: the rig's gain taken out
        size = pictures.shape[-2:]
        return ImageItem(image=pictures[index % self.each], gt_label=torch.tensor(0), gt_mask=Mask(torch.zeros(size)))


class _Data(LightningDataModule):
    """As a data module: some classes ask their trainer's for the pictures, or for their number."""

    name, category, train_batch_size = "captures", "", 8

    def __init__(self, pictures: _Pictures) -> None:
        super().__init__()
        self.pictures = pictures

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.pictures, self.train_batch_size, shuffle=True, collate_fn=ImageBatch.collate)


def lights_of(images: np.ndarray) -> Tensor:
    """[N, C, H, W] as a batch of one, float32 in [0, 1]."""
    return torch.from_numpy(images.astype(np.float32) / np.iinfo(images.dtype).max)[None]


def _module(config: AnomalibConfig, teacher: Teacher) -> AnomalibModule:
    """The class with its arguments, without anomalib's post-processing, metrics and pictures."""
    kind, given = class_of(config.fusion), _arguments(config)
    takes = inspect.signature(kind.__init__).parameters
    parts = {name: False for name in ("post_processor", "evaluator", "visualizer") if name in takes}
    size = (config.image_size, config.image_size)
    try:
        parts["pre_processor"] = _of_the_whole(kind, config.image_size)
    except ValueError as error:
        raise ModelError(f"{config.fusion}: {error}; choose another --image-size") from error
    if "backbone" in takes and "backbone" not in given and kind is not models.Cfa:  # it takes torchvision's, by name
        if kind is models.Stfpm:  # one module from outside would be its teacher and its student
            raise ModelError("anomalib:Stfpm learns from a backbone of its own: name it in --anomalib-arguments")
        mean, std = (x.flatten().tolist() for x in (teacher.mean, teacher.std))
        parts |= {"backbone": deepcopy(teacher.backbone)} | ({"pre_trained": False} if "pre_trained" in takes else {})
        parts["pre_processor"] = PreProcessor(Compose([Resize(size, antialias=True), Normalize(mean, std)]))
        if "layers" in takes and "layers" not in given:
            parts["layers"] = _layers(teacher, len(takes["layers"].default))
        if "n_features" in takes and "n_features" not in given:
            parts["n_features"] = FEATURES
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Attribute .* is an instance of `nn.Module`")
        try:
            return kind(**parts, **given)
        except (TypeError, ValueError) as error:
            raise ModelError(f"{config.fusion}: {error}; correct --anomalib-arguments") from error
        except OSError as error:
            raise _no_weights(config, error) from error


def _of_the_whole(kind: type[AnomalibModule], side: int) -> PreProcessor:
    """What the class does to a picture of so many pixels, but that it resizes where it would cut the border off.

    A map of the middle would be stretched over the whole part, and a defect at the border never seen.
    """
    crops = "crop_size" in inspect.signature(kind.configure_pre_processor).parameters
    prepared = kind.configure_pre_processor((side, side), **({"crop_size": side // PATCH * PATCH} if crops else {}))
    steps = list(getattr(prepared.transform, "transforms", ()))
    crop = next((step for step in steps if isinstance(step, CenterCrop)), None)
    if crop is None:
        return prepared
    rest = [step for step in steps if not isinstance(step, (Resize, CenterCrop))]
    return PreProcessor(Compose([Resize(crop.size, antialias=True), *rest]))


def _no_weights(config: AnomalibConfig, error: OSError) -> WeightsError:
    """What a class says that brings weights of its own, where there is no network."""
    said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return WeightsError(f"{config.fusion}: its own weights cannot be fetched ({said}); fetch them once with a network")


def class_of(fusion: str) -> type[AnomalibModule]:
    """fusion: anomalib:CLASS. Raises ModelError: no such class, or one that cannot be a family here."""
    name = fusion.partition(":")[2]
    kind = getattr(models, name, None)
    if not (inspect.isclass(kind) and issubclass(kind, AnomalibModule)):
        there = ", ".join(sorted(models.list_models("pascal")))
        raise ModelError(f"anomalib has no model {name!r}; choose from {there}")
    if (
        kind is models.EfficientAd
    ):  # it counts the steps of the Engine's data module, and downloads images to learn from
        raise ModelError("anomalib:EfficientAd is no family here; train it by anomalib's Engine on a LightsDataModule")
    return kind


def _arguments(config: AnomalibConfig) -> dict[str, Any]:
    text = config.anomalib.arguments
    try:
        given = json.loads(text)
    except json.JSONDecodeError as error:
        raise ModelError(f"--anomalib-arguments {text!r}: no JSON ({error.msg})") from error
    if not isinstance(given, dict):
        raise ModelError(f'--anomalib-arguments {text!r}: write an object, such as {{"n_features": 50}}')
    return given


def _layers(teacher: Teacher, count: int) -> list[str]:
    """The teacher's levels: so many, the last of them at stride 16."""
    named = {level["reduction"]: level["module"] for level in teacher.backbone.feature_info}
    return [named[stride] for stride in STRIDES[-count:]]

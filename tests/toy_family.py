"""A family in one file, as someone would add it: how far a part's brightness under each light is from good parts'."""

import shutil
from typing import Literal

import torch
from pydantic import Field
from torch.nn.functional import interpolate

from afrd.card import Capabilities
from afrd.checkpoint import load_model, save_model, trained_digest
from afrd.families import Family, HeldOutScores, TrainConfig
from afrd.model import MultiLightModel, Prediction


class ToyConfig(TrainConfig):
    fusion: Literal["toy"] = Field("toy", description=TrainConfig.model_fields["fusion"].description)
    cells: int = Field(16, ge=2, description="Along each side of the picture.")


class ToyModel(MultiLightModel):
    def __init__(self, config: ToyConfig, teacher, lights: int) -> None:
        super().__init__(teacher, None, lights, config.image_size, config.top_share)
        self.register_buffer("mean", torch.zeros(lights, config.cells, config.cells))
        self.register_buffer("count", torch.tensor(0))

    def learn(self, captures):
        """Further good parts into the mean."""
        for capture in captures:
            self.count += 1
            self.mean += (self.describe(torch.from_numpy(capture.images)[None])[0] - self.mean) / self.count

    def describe(self, images):
        """[B, N, 3, H, W] → [B, N, cells, cells]."""
        return interpolate(self.prepare(images).mean(2), self.mean.shape[-2:], mode="area")

    def forward(self, images, lights=None):
        used = sorted(range(self.lights) if lights is None else lights)
        each = torch.zeros(len(images), *self.mean.shape, device=images.device)
        each[:, used] = (self.describe(images) - self.mean)[:, used].abs()
        anomaly_map = interpolate(each.sum(1)[:, None], (self.image_size, self.image_size))[:, 0]
        shares = each.flatten(2).amax(-1)
        return Prediction(anomaly_map, anomaly_map.flatten(1).amax(1), (shares / shares.sum(1, keepdim=True))[:, None])


class Toy(Family):
    title, names, config = "Toy model", ("toy",), ToyConfig
    capabilities = Capabilities(evidence=True, leave_out=True, grow=True)

    def build(self, config, teacher, lights):
        return ToyModel(config, teacher, lights)

    def fit(self, model, captures, holdout, job):
        model.learn(captures)
        held_out = [torch.from_numpy(capture.images)[None] for capture in holdout]
        lights = set(range(model.lights))
        return HeldOutScores(
            [float(model(image).score) for image in held_out],
            [[float(model(image, lights - {k}).score) for image in held_out] for k in lights],
        )

    def can_grow(self, run):
        return True

    def grow(self, run, captures, out, progress=None):
        model, card = load_model(run)
        model.learn(captures.read_as(card.imaging))
        counts = {"captures": card.captures + len(captures), "trained_digest": trained_digest(model)}
        card = card.model_copy(update=counts)
        out.mkdir()
        for name in ("run.yaml", "teacher.safetensors"):
            shutil.copyfile(run / name, out / name)
        save_model(out, model, card)
        return card

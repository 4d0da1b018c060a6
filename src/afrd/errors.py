"""Every error a user can fix; each names the file or value, what was expected, and the fix."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


class AfrdError(Exception):
    """Base of all errors raised on purpose; the command line prints its message and exits with status 1."""


class DatasetError(AfrdError):
    """A data set or a capture on disk is not what its layout promises."""


class WeightsError(AfrdError):
    """Teacher weights are missing, cannot be fetched, or do not fit the backbone."""


class ModelError(AfrdError):
    """A model was asked for something it cannot do: unknown fusion or backbone, other lights, another size."""


class RunError(AfrdError):
    """A run folder is missing, unfinished, damaged, or was started with another configuration."""


class DisturbanceError(AfrdError):
    """A disturbance is unknown, too weak or too strong, or cannot be applied to a capture."""


class StationError(AfrdError):
    """A station cannot start or go on: its database, its data folder, its port or its access rules."""


class MissingExtraError(AfrdError):
    """A feature needs an optional dependency that is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed: pip install 'afrd[{extra}]'")

    @classmethod
    def of(cls, error: ModuleNotFoundError) -> "MissingExtraError | None":
        """For a package that one of the extras brings; None for any other."""
        return cls(error.name, _EXTRA_OF[error.name]) if error.name in _EXTRA_OF else None


_PACKAGES = {
    "train": "torch torchvision timm lightning_fabric safetensors",
    "station": "fastapi uvicorn sqlalchemy alembic python_multipart argon2 itsdangerous pyarrow watchfiles",
    "postgresql": "psycopg",
    "export": "onnx onnxscript onnxruntime openvino nncf",
}
_EXTRA_OF = {package: extra for extra, packages in _PACKAGES.items() for package in packages.split()}


def bare(message: str) -> str:
    """Of an error of pydantic, without its own word for errors that a validator raised."""
    return message.removeprefix("Value error, ")


def complaint(error: "ValidationError", secret: bool = False) -> str:
    """The first thing that is wrong, in one line: field, what was expected and, unless it is secret, what was found."""
    first, *more = error.errors()
    field, what = ".".join(map(str, first["loc"])), bare(first["msg"])
    if first["type"] == "missing":
        text = f"{field}: missing"
    elif not field:
        text = what
    else:
        text = f"{field}: {what}" + ("" if secret else f" (found {first['input']!r})")
    return text + (f" (and {len(more)} more)" if more else "")

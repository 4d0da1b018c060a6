"""Settings and cards in YAML, checked against their schema. Needs no torch."""

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from afrd.datasets.problems import ProblemError
from afrd.datasets.yaml_file import YamlFile
from afrd.errors import RunError, complaint

_M = TypeVar("_M", bound=BaseModel)


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML mapping. Raises RunError: not there, not YAML, not a mapping."""
    try:
        data = YamlFile(path, "restore it").value
    except ProblemError as error:
        raise RunError(str(error)) from error
    if not isinstance(data, dict):
        raise RunError(f"{path}: expected a mapping of names to values; restore it")
    return data


def parse(kind: type[_M], data: dict[str, Any], path: Path) -> _M:
    """Checked against the schema. Raises RunError naming file, field and what was expected."""
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise RunError(f"{path}: {complaint(error)}") from error


def to_yaml(value: BaseModel) -> str:
    """What `parse` gives back."""
    return yaml.safe_dump(value.model_dump(mode="json"), sort_keys=False, allow_unicode=True)

"""Anomaly maps that wait until all captures are seen: in memory, and in a temporary file where they do not fit."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from afrd.errors import AfrdError
from afrd.evaluation.truth import Lazy
from afrd.imaging.coarse_map import CoarseMap


class KeptMaps:
    """budget_gb: of 1e9 bytes, what they may take in memory. The file goes with the object."""

    def __init__(self, budget_gb: float) -> None:
        self._budget = budget_gb * 1e9
        self._maps: list[CoarseMap] = []
        self._files: dict[int, Path] = {}
        self._folder: tempfile.TemporaryDirectory | None = None
        self.in_memory = 0

    def add(self, found: CoarseMap) -> None:
        """Raises AfrdError: the disk of temporary files does not hold it."""
        needed = found.values.nbytes
        if self.in_memory + needed <= self._budget:
            self.in_memory += needed
        else:
            self._files[len(self._maps)] = self._written(found.values)
            found = replace(found, values=np.empty((0, 0), np.float32))
        self._maps.append(found)

    def at_full_size(self) -> Lazy:
        """[H, W] float32 each, made when it is asked for."""
        return Lazy(len(self._maps), self._at_full_size)

    def _at_full_size(self, index: int) -> np.ndarray:
        found = self._maps[index]
        if index in self._files:
            found = replace(found, values=np.load(self._files[index], allow_pickle=False))
        return found.at_full_size()

    def _written(self, values: np.ndarray) -> Path:
        try:
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(prefix="afrd-maps-")
            path = Path(self._folder.name) / f"{len(self._maps)}.npy"
            np.save(path, values, allow_pickle=False)
            return path
        except OSError as error:
            raise AfrdError(
                f"{tempfile.gettempdir()}: cannot take a map of {values.nbytes / 1e6:.3g} MB "
                f"({error.strerror or error}); free some, set TMPDIR to another disk, or raise --memory-gb"
            ) from error

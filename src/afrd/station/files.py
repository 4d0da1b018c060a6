"""Images, maps and masks of captures on disk. Knows no database.

A capture's folder is written whole into `incoming/` and moved to `captures/<day>/<id>/` once its record stands; what a
killed process leaves in `incoming/` has either a record, which brings it to its place, or none, and goes.
"""

import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from afrd.errors import DatasetError
from afrd.files import atomic_path, flush, is_temporary
from afrd.imaging.coarse_map import CoarseMap
from afrd.map_png import fitting_scale, write_map_png16

MAP_FILE = "map.png"
MAP_SIDE = 512  # maps are stored no larger: the model's are 256 places wide at most, more pixels tell no more


class CaptureFiles:
    """Below `root`, the data folder of a station. Folders are named relative to it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._incoming = root / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)

    def folder_for(self, id: str, at: float) -> str:
        """Where a capture taken at `at` (seconds since 1970) belongs."""
        return f"captures/{time.strftime('%Y-%m-%d', time.gmtime(at))}/{id}"

    def write_incoming(self, id: str, files: Iterable[tuple[str, bytes]]) -> None:
        """The images, on the disk when this returns. Raises OSError: none of them is kept then."""
        folder = self._incoming / id
        shutil.rmtree(folder, ignore_errors=True)
        try:
            folder.mkdir()
            for name, content in files:
                (folder / name).write_bytes(content)
            for file in folder.iterdir():
                flush(file)
            flush(folder)
            flush(self._incoming)
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def settle(self, id: str, folder: str) -> None:
        """From `incoming/` to its place; nothing to do where it is there already."""
        source, target = self._incoming / id, self.root / folder
        if source.is_dir():
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.is_dir():  # left by a record that was removed
                shutil.rmtree(target)
            source.rename(target)
            flush(target.parent)
            flush(self._incoming)

    def incoming(self) -> list[str]:
        """Ids of captures whose images are not in their place."""
        return [left.name for left in self._incoming.iterdir()]

    def is_incoming(self, id: str) -> bool:
        """Whether it is one of them."""
        return (self._incoming / id).exists()

    def drop_incoming_of(self, id: str) -> None:
        """The images of a capture that was not taken after all."""
        left = self._incoming / id
        shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink(missing_ok=True)

    def remove(self, folder: str) -> None:
        """A capture's folder, with its images and map."""
        shutil.rmtree(self.root / folder, ignore_errors=True)

    def read_images(self, folder: str, files: Mapping[str, str]) -> dict[str, bytes]:
        """Light → content. Raises OSError: one is not there."""
        return {light: (self.root / folder / name).read_bytes() for light, name in files.items()}

    def write_map(self, folder: str, anomaly_map: CoarseMap, threshold: float) -> None:
        """As 16-bit PNG, at most `MAP_SIDE` wide and high; its scale and the threshold are noted in it.

        On the disk when this returns, but for its name (`flush_names`).
        """
        values = np.maximum(anomaly_map.within(MAP_SIDE), 0)
        path, scale = self.root / folder / MAP_FILE, fitting_scale(values)
        write_map_png16(path, values, scale, threshold=threshold, fast=True, flush_name=False)

    def map_bytes(self, folder: str) -> int:
        """Size of a capture's map; 0 where there is none."""
        try:
            return (self.root / folder / MAP_FILE).stat().st_size
        except OSError:
            return 0

    def flush_names(self, folder: str) -> None:
        """The names of what is in a capture's folder, to the disk."""
        flush(self.root / folder)

    def path(self, folder: str, name: str) -> Path:
        """A file of a capture. Raises DatasetError: it is not there, or is no plain file within that folder."""
        path = self.root / folder / name
        if Path(name).name != name or is_temporary(path) or not path.is_file():
            raise DatasetError(f"{folder}/{name}: no such file; it may have been removed by retention")
        return path

    def write_mask(self, folder: str, name: str, content: bytes) -> None:
        """Beside the images, whole or not at all."""
        with atomic_path(self.root / folder / name) as temporary:
            temporary.write_bytes(content)

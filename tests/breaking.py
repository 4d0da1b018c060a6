"""Ways to break a sound data set: each gives, or is, a function of a path."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image


def resize(path: Path) -> None:
    with Image.open(path) as image:
        resized = image.resize((20, 14))
    resized.save(path)


def sixteen_bit(path: Path) -> None:
    cv2.imwrite(str(path), np.zeros((16, 16, 3), np.uint16))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def copied(source: str, target: str) -> Callable[[Path], None]:
    def copy(home: Path) -> None:
        (home / target).parent.mkdir(parents=True, exist_ok=True)
        (home / target).write_bytes((home / source).read_bytes())

    return copy


def on(name: str, change: Callable[[Path], None]) -> Callable[[Path], None]:
    return lambda home: change(home / name)


def text(name: str, text: str) -> Callable[[Path], None]:
    return lambda home: (home / name).write_text(text)

"""Rendered captures: nothing → captures on disk, in the Eyecandies layout, with Mitsuba 3 (extra `render`).

An object is grown (`classes`), spoilt where it is to be bad (`defects`), photographed (`stage`), written (`writing`).
Knows no networks. Importing this imports neither Mitsuba nor SciPy.
"""

from afrd.render.classes import CLASSES
from afrd.render.dataset import render_dataset
from afrd.render.stage import LIGHT_DIRECTIONS

__all__ = ["CLASSES", "LIGHT_DIRECTIONS", "render_dataset"]

"""What every class of part has in common: a name, how to grow one part, and how it comes to lie on the belt."""

from abc import ABC, abstractmethod

import numpy as np

from afrd.render.surface import Surface


class Candy(ABC):
    """One class of part. A class is a recipe: all that varies between two parts is drawn from `rng` in `build`.

    defect_scale: what counts as a defect must stand out of the class's own relief: its height and slope relative to the
        same defect on a smooth part.
    turn: largest angle, in degrees, by which a part is turned on the belt; 180 where nothing lines the parts up.
    tilt: standard deviation of the angle, in degrees, by which a part leans on the belt.
    wander: how far from the middle of the image a part may lie, cm, along x and y.
    """

    defect_scale: float = 1.0
    turn: float = 180.0
    tilt: float = 2.0
    wander: float = 0.2

    @abstractmethod
    def build(self, rng: np.random.Generator, detail: float) -> Surface:
        """A new part around the origin, z up; `detail` scales the number of vertices along an edge (1 for 256 px)."""

    def place(self, surface: Surface, rng: np.random.Generator) -> Surface:
        """The part turned at random, leaning a little, lying on the belt (z = 0)."""
        turn = np.radians(rng.uniform(-self.turn, self.turn))
        lean, axis = np.radians(rng.normal(0, self.tilt)), rng.uniform(0, 2 * np.pi)
        rotation = _about(np.array([np.cos(axis), np.sin(axis), 0.0]), lean) @ _about(np.array([0, 0, 1.0]), turn)
        turned = surface.moved(rotation, np.zeros(3))
        low = turned.vertices.min(axis=0)
        high = turned.vertices.max(axis=0)
        shift = np.array([*(-(low + high)[:2] / 2 + rng.uniform(-self.wander, self.wander, 2)), -low[2]])
        turned.vertices = turned.vertices + shift
        return turned


def _about(axis: np.ndarray, angle: float) -> np.ndarray:
    """Rotation matrix by `angle` radians about a unit axis (Rodrigues)."""
    x, y, z = axis
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * k @ k

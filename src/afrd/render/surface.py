"""The surface of a part as triangles: making it, bending it, finding its normals. In centimetres.

Colour and roughness sit on the vertices; a mesh is fine enough that one vertex is about one pixel. Knows no classes, no
defects and no renderer.
"""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Material:
    """How a surface reflects, in the terms of Disney's principled model (Burley 2012), each in 0..1.

    translucency: share of the light that goes through instead of back; the part is then a thin-walled body.
    """

    roughness: float
    specular: float = 0.5
    clearcoat: float = 0.0
    clearcoat_gloss: float = 0.9
    translucency: float = 0.0


@dataclass
class Surface:
    """Triangles with colour.

    vertices: [V, 3] cm, x right, y up, z towards the camera.
    faces: [F, 3] vertex indices, counter-clockwise seen from outside.
    out: [V, 3] unit normals of the shape without its fine relief: the direction in which bumps and dents go.
    albedo: [V, 3] linear, 0..1.
    relief: [V, 3] what fine texture adds to the unit normal for shading; no change of geometry.
    """

    vertices: np.ndarray
    faces: np.ndarray
    out: np.ndarray
    material: Material
    albedo: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))
    relief: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))

    def __post_init__(self) -> None:
        if not len(self.relief):
            self.relief = np.zeros_like(self.vertices)

    def displace(self, height: np.ndarray) -> None:
        """Moves every vertex outwards by height [V] cm."""
        self.vertices = self.vertices + self.out * height[:, None]

    def normals(self) -> np.ndarray:
        """Unit normals of the geometry, [V, 3]."""
        return vertex_normals(self.vertices, self.faces)

    def shading_normals(self) -> np.ndarray:
        """Unit normals with the fine relief, [V, 3]: what the light sees."""
        return unit(self.normals() + self.relief)

    def moved(self, rotation: np.ndarray, shift: np.ndarray) -> "Surface":
        """A copy, rotated [3, 3] and then shifted [3]."""
        return Surface(
            self.vertices @ rotation.T + shift,
            self.faces,
            self.out @ rotation.T,
            self.material,
            self.albedo.copy(),
            self.relief @ rotation.T,
        )


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors [..., 3] scaled to length 1."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Area-weighted mean of the normals of the faces around each vertex, [V, 3]."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    face_normals = np.cross(b - a, c - a)
    total = np.zeros_like(vertices)
    for axis in range(3):
        for corner in range(3):
            total[:, axis] += np.bincount(faces[:, corner], face_normals[:, axis], len(vertices))
    return unit(total)


def grid_faces(rows: int, columns: int, wrap: bool = False) -> np.ndarray:
    """Two triangles per cell of a grid of vertices in row order; `wrap` joins the last column to the first. [F, 3]"""
    index = np.arange(rows * columns).reshape(rows, columns)
    if wrap:
        index = np.concatenate([index, index[:, :1]], axis=1)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    return np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])


def dome_directions(side: int, square: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Unit directions on a sphere from a square grid, dense above the equator, and their triangles.

    The square goes to a disc by the concentric map (Shirley and Chiu 1997), which keeps cells even and has no pole; the
    disc's radius is the angle from the top. Its outer 15 % carries the underside, which the camera never sees. There is
    a small hole at the bottom, on the belt.

    square: keeps the grid's lines straight seen from above, for parts with straight edges; not unit directions then.
    """
    g = np.linspace(-1, 1, side)
    x, y = (v.ravel() for v in np.meshgrid(g, g))
    wide = np.abs(x) > np.abs(y)
    radius = np.where(wide, x, y)
    with np.errstate(divide="ignore", invalid="ignore"):
        angle = np.where(wide, np.pi / 4 * y / x, np.pi / 2 - np.pi / 4 * x / y)
    angle = np.nan_to_num(angle)
    turn = np.abs(radius)
    polar = np.where(turn < 0.85, turn / 0.85 * np.radians(95), np.radians(95) + (turn - 0.85) / 0.15 * np.radians(75))
    sign = np.where(radius < 0, -1.0, 1.0)
    flat = np.stack([sign * np.cos(angle), sign * np.sin(angle)], axis=1)
    if square:
        flat = np.stack([x, y], axis=1) / np.maximum(turn, 1e-9)[:, None]
    directions = np.concatenate([flat * np.sin(polar)[:, None], np.cos(polar)[:, None]], axis=1)
    return directions, grid_faces(side, side)[:, ::-1]


def superellipsoid(directions: np.ndarray, axes: tuple[float, float, float], plan: float, profile: float) -> np.ndarray:
    """Points [V, 3] of (|x/a|^plan + |y/b|^plan)^(profile/plan) + |z/c|^profile = 1 along scaled directions.

    2 and 2 give an ellipsoid; a larger `profile` flattens the top and rounds the rim, a larger `plan` squares the plan.
    """
    d = np.abs(directions)
    flat = (d[:, 0] ** plan + d[:, 1] ** plan) ** (profile / plan)
    return directions * np.array(axes) * ((flat + d[:, 2] ** profile) ** (-1 / profile))[:, None]


def tube(line: np.ndarray, radius: np.ndarray, around: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A closed tube along a planar line [S, 3] (in z = 0) with radius [S] cm and `around` vertices a ring.

    Returns vertices [S·around, 3], faces and the ring angle of each vertex (0 in the plane, π/2 up), [S·around].
    """
    tangent = unit(np.gradient(line, axis=0))
    side = np.stack([-tangent[:, 1], tangent[:, 0], np.zeros(len(line))], axis=1)
    angle = np.linspace(0, 2 * np.pi, around, endpoint=False)
    ring = side[:, None] * np.cos(angle)[:, None] + np.array([0, 0, 1.0]) * np.sin(angle)[:, None]
    vertices = line[:, None] + ring * radius[:, None, None]
    faces = grid_faces(len(line), around, wrap=True)[:, ::-1]
    return vertices.reshape(-1, 3), faces, np.tile(angle, len(line))

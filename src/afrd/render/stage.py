"""The station: a belt, a camera above it, four spots around the camera and a light box. What Mitsuba is told.

Lengths in centimetres, x right, y up in the image, z from the belt to the camera. Everything is fixed except the belt,
which runs on between two parts. Light is additive: the capture under all spots is the sum of the four spot renders in
linear light, so it is not rendered. Exposure is fixed per light, as on a real station. Knows no classes and no files.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np

from afrd.imaging.pixels import to_srgb
from afrd.render.camera import photograph
from afrd.render.denoise import denoise
from afrd.render.emitters import WHITE, Emitter, Lamp, disc, lamps_of
from afrd.render.engine import mitsuba, samples_of
from afrd.render.noise import Noise
from afrd.render.rig_file import AIM, Rig
from afrd.render.surface import Surface

_POLAR = np.radians(52)  # between the camera's axis and a spot: low enough that relief throws shade
_SIDE, _UP = round(float(np.sin(_POLAR)), 6), round(float(np.cos(_POLAR)), 6)

LIGHTS = ("all_spots", "bottom", "right", "top", "left", "light_box")
SPOTS = ("bottom", "right", "top", "left")
LIGHT_DIRECTIONS: dict[str, tuple[float, float, float] | None] = {
    "all_spots": None,
    "bottom": (0.0, -_SIDE, _UP),
    "right": (_SIDE, 0.0, _UP),
    "top": (0.0, _SIDE, _UP),
    "left": (-_SIDE, 0.0, _UP),
    "light_box": None,
}
"""Unit vectors from the part towards each light, x right, y up, z to the camera; None where there is not one."""

CAMERA_HEIGHT = 10.5
FOCAL = 711.11 / 512  # focal length over image width, as in Eyecandies
SPOT_DISTANCE, _SPOT_RADIUS = 17.0, 1.1  # from AIM
_BELT_HALF = 9.0
_WALLS = 0.05  # share of a spot that the walls of the box send back from all around, in units of the light box
EXPOSURE = {"spot": 0.82, "all_spots": 0.36, "light_box": 0.85}
"""Linear value of a white matte surface that faces a spot (alone or all on) or, in the light box, the camera."""


@dataclass(frozen=True)
class Exposure:
    """What the camera and the renderer's geometry pass saw of one part.

    images: light name → [H, W, 3] uint8.
    depth: [H, W] metres from the camera along its axis.
    normals: [H, W, 3] unit, shading normals, x right, y up, z to the camera.
    weights: per footprint handed in, [H, W] float, 0 off the part.
    part: [H, W] bool, True on the part.
    """

    images: dict[str, np.ndarray]
    depth: np.ndarray
    normals: np.ndarray
    weights: dict[str, np.ndarray]
    part: np.ndarray


def pose() -> np.ndarray:
    """Camera to world, [4, 4], metres: the camera looks along its -z."""
    matrix = np.eye(4)
    matrix[2, 3] = CAMERA_HEIGHT / 100
    return matrix


def observe(
    surface: Surface,
    footprints: dict[str, np.ndarray],
    size: int,
    rng: np.random.Generator,
    camera: bool = True,
    accept: Callable[[dict[str, np.ndarray]], bool] = lambda weights: True,
    rig: Rig | None = None,
) -> Exposure | None:
    """One part under the six lights, or under those of a rig file, `size`² pixels.

    footprints: per name a weight per vertex [V]; comes back as an image, interpolated where the camera sees it.
    camera: photographed as stations do (`afrd.render.camera`); False is a sensor with hardly any noise, and all spots
        are the exact sum of the four.
    accept: whether footprints, as they are seen, will do; where not, nothing else is rendered and there is no exposure.
    """
    mi, samples = mitsuba(), samples_of(size)
    lamps = lamps_of(mi, rig) if rig else _station(mi)
    emitters = {name: emitter for lamp in lamps.values() for name, emitter in lamp.emitters.items()}
    scene = _scene(mi, surface, size, rng, emitters)
    geometry = _geometry(mi, scene, surface, footprints, size)
    if not accept(geometry["weights"]):
        return None
    params = mi.traverse(scene)
    through = surface.material.translucency > 0
    # Opaque parts need one bounce; light that went into a part and out again needs some, and all of it denoised.
    bounce = (
        {"type": "path", "max_depth": 4} if through else {"type": "direct", "emitter_samples": 1, "bsdf_samples": 0}
    )
    light_path, guide = mi.load_dict(bounce), mi.load_dict({"type": "aov", "aovs": "a:albedo,n:sh_normal,p:position"})

    def render(on: Iterable[str], integrator, count: int) -> np.ndarray:
        """Emitters by name; none: the light box."""
        for name, emitter in emitters.items():
            params[f"{name}.emitter.sampling_weight"] = float(name in on)
            params[f"{name}.emitter.radiance.value"] = mi.ScalarColor3f(emitter.radiance if name in on else 0.0)
        params["light_box.sampling_weight"] = float(not on)
        params["light_box.scale"] = float(not on)
        params.update()
        return np.array(mi.render(scene, integrator=integrator, spp=count, seed=int(rng.integers(2**31))))

    seen = render((), guide, samples.guide)

    def clean(image: np.ndarray) -> np.ndarray:
        return denoise(image, albedo=seen[..., 0:3], normals=seen[..., 3:6], height=seen[..., 8])

    box = clean(render((), light_path, samples.spot if through else samples.box))
    sensed = (lambda image: image) if camera else (lambda image: _sensor(image, rng))
    linear = {}
    for name, lamp in lamps.items():
        light = lamp.box * box
        if lamp.emitters:
            light = render(lamp.emitters, light_path, samples.box if lamp.soft else samples.spot)
            light = (clean(light) if through or lamp.soft else light) + _WALLS * box
        linear[name] = sensed(light if lamp.colour == WHITE else light * np.array(lamp.colour, np.float32))
    if rig is None:
        every = sum(linear.values()) * (EXPOSURE["all_spots"] / EXPOSURE["spot"])
        linear = {"all_spots": every, **linear, "light_box": sensed(box)}
    images = photograph(linear, rng) if camera else {name: _develop(image) for name, image in linear.items()}
    return Exposure(images=images, **geometry)


def on_picture(points: np.ndarray, size: int) -> np.ndarray:
    """[..., 3] cm as x right, y up from the middle of the picture, in pixels, [..., 2]."""
    return points[..., :2] * (size * FOCAL / (CAMERA_HEIGHT - points[..., 2:]))


def _station(mi) -> dict[str, Lamp]:
    """The four spots; what all of them and the light box show follows from them."""
    at = {name: np.array(AIM) + SPOT_DISTANCE * np.array(LIGHT_DIRECTIONS[name]) for name in SPOTS}
    return {name: Lamp({name: disc(mi, at[name], SPOT_DISTANCE, _SPOT_RADIUS, EXPOSURE["spot"])}) for name in SPOTS}


def _sensor(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shot and read noise of a good industrial camera."""
    return np.maximum(image + rng.normal(size=image.shape) * np.sqrt(4e-7 + 6e-5 * np.maximum(image, 0)), 0)


def _develop(linear: np.ndarray) -> np.ndarray:
    return np.round(to_srgb(linear) * 255).astype(np.uint8)


def _geometry(mi, scene, surface: Surface, footprints: dict[str, np.ndarray], size: int) -> dict:
    """Position, normal and footprints through the centre of each pixel: no sample is averaged, so edges are exact."""
    aov = mi.load_dict({"type": "aov", "aovs": "p:position,n:sh_normal,f:prim_index,s:shape_index"})
    seen = np.array(mi.render(scene, integrator=aov, sensor=_sensor_of(mi, size, exact=True), spp=1))
    position, normals = seen[..., 0:3].astype(np.float64), seen[..., 3:6]
    part = position[..., 2] > 1e-4
    face = surface.faces[np.where(part, seen[..., 6], 0).astype(np.int64)]
    a, b, c = (surface.vertices[face[..., i]] for i in range(3))
    double = np.linalg.norm(np.cross(b - a, c - a), axis=-1)
    beta = np.linalg.norm(np.cross(position - a, c - a), axis=-1) / np.maximum(double, 1e-12)
    gamma = np.linalg.norm(np.cross(b - a, position - a), axis=-1) / np.maximum(double, 1e-12)
    weights = {
        name: np.where(part, w[face[..., 0]] * (1 - beta - gamma) + w[face[..., 1]] * beta + w[face[..., 2]] * gamma, 0)
        for name, w in footprints.items()
    }
    return {"depth": (CAMERA_HEIGHT - position[..., 2]) / 100, "normals": normals, "weights": weights, "part": part}


def _sensor_of(mi, size: int, exact: bool = False):
    sampler = (
        {"type": "stratified", "sample_count": 1, "jitter": False}
        if exact
        else {"type": "multijitter", "sample_count": samples_of(size).box}
    )
    return mi.load_dict(
        {
            "type": "perspective",
            "fov": float(2 * np.degrees(np.arctan(0.5 / FOCAL))),
            "to_world": mi.ScalarTransform4f().look_at(origin=[0, 0, CAMERA_HEIGHT], target=[0, 0, 0], up=[0, 1, 0]),
            "film": {
                "type": "hdrfilm",
                "width": size,
                "height": size,
                "rfilter": {"type": "box"},
                "pixel_format": "rgb",
                "component_format": "float32",
            },
            "sampler": sampler,
        }
    )


def _scene(mi, surface: Surface, size: int, rng: np.random.Generator, emitters: dict[str, Emitter]):
    transform = mi.ScalarTransform4f
    # rng.uniform: the belt runs on by any length and wanders a little sideways
    run = [float(rng.uniform(-0.02, 0.02)), float(rng.uniform(0, 1)), 0.0]
    belt = {
        "type": "rectangle",
        "to_world": transform().scale(_BELT_HALF),
        "bsdf": {
            "type": "diffuse",
            "reflectance": {
                "type": "bitmap",
                "bitmap": mi.Bitmap(_belt_texture()),
                "raw": True,
                "to_uv": mi.ScalarTransform3f().translate(run[:2]),
            },
        },
    }
    box = {
        "type": "envmap",
        "bitmap": mi.Bitmap(_light_box()),
        "to_world": transform().rotate([1, 0, 0], 90),
    }
    return mi.load_dict(
        {
            "type": "scene",
            "part": _mesh(mi, surface),
            "belt": belt,
            "light_box": box,
            "sensor": _sensor_of(mi, size),
            **{name: emitter.lit() for name, emitter in emitters.items()},
        }
    )


def _mesh(mi, surface: Surface):
    material = surface.material
    properties = mi.Properties()
    colour = {"type": "mesh_attribute", "name": "vertex_color"}
    if material.translucency:
        # diff_trans runs to 2: half of the body's light at 1
        bsdf = {"type": "principledthin", "diff_trans": 2 * material.translucency, "spec_trans": 0.3, "eta": 1.5}
    else:
        bsdf = {
            "type": "principled",
            "specular": material.specular,
            "clearcoat": material.clearcoat,
            "clearcoat_gloss": material.clearcoat_gloss,
        }
    bsdf |= {"base_color": colour, "roughness": material.roughness}
    properties["bsdf"] = mi.load_dict({"type": "twosided", "bsdf": bsdf} if not material.translucency else bsdf)
    mesh = mi.Mesh("part", len(surface.vertices), len(surface.faces), has_vertex_normals=True, props=properties)
    params = mi.traverse(mesh)
    params["vertex_positions"] = surface.vertices.astype(np.float32).ravel()
    params["vertex_normals"] = surface.shading_normals().astype(np.float32).ravel()
    params["faces"] = surface.faces.astype(np.uint32).ravel()
    mesh.add_attribute("vertex_color", 3, np.clip(surface.albedo, 0.005, 0.95).astype(np.float32).ravel())
    params.update()
    return mesh


@cache
def _belt_texture() -> np.ndarray:
    """Albedo of the belt: ribbed dark rubber with scuffs, [512, 512, 3]; its lower edge continues its upper one."""
    side = 512
    g = (np.arange(side) + 0.5) / side
    u, v = np.meshgrid(g, g)
    turn = 2 * np.pi * v  # on a cylinder, so that the belt closes
    points = np.stack([u * 18, 18 / (2 * np.pi) * np.cos(turn), 18 / (2 * np.pi) * np.sin(turn)], -1).reshape(-1, 3)
    noise = Noise(np.random.default_rng(7))
    weave = np.sin(2 * np.pi * u * 84) * np.sin(2 * np.pi * v * 84)
    wear = noise.fractal(points, 0.35, 4, 0.6).reshape(side, side)
    grain = noise.fractal(points, 5.0, 2, 0.7).reshape(side, side)
    value = 0.045 * (1 + 0.22 * weave + 0.25 * wear + 0.25 * grain)
    return (np.clip(value, 0.01, 0.2)[..., None] * np.array([1.0, 1.02, 1.06])).astype(np.float32)


@cache
def _light_box() -> np.ndarray:
    """Radiance of the light box by direction, [32, 64, 3]: bright walls, brighter panels."""
    polar, around = np.meshgrid((np.arange(32) + 0.5) / 32 * 180, (np.arange(64) + 0.5) / 64 * 360, indexing="ij")
    panel = np.exp(-(((polar - 42) / 16) ** 2)) * (0.5 + 0.5 * np.cos(np.radians(around) * 4))
    value = np.where(polar < 90, 0.9 + 0.45 * panel, 0.0)
    # scaled so that a white matte surface facing the camera returns the stated exposure
    solid = np.sin(np.radians(polar)) * np.radians(180 / 32) * np.radians(360 / 64)
    value *= EXPOSURE["light_box"] * np.pi / np.sum(value * solid * np.maximum(np.cos(np.radians(polar)), 0))
    return np.repeat(value[..., None], 3, axis=2).astype(np.float32)

"""A whole rendered data set: which objects there are to be, which are missing, and making those on all cores.

`OUT/render.yaml` says what a folder is; a folder without it is somebody else's and is left alone. An object depends on
(seed, class, split, index) only, so a data set can be stopped anywhere, go on, and grow by classes and captures.
"""

import multiprocessing
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from afrd.console import end_with_parent
from afrd.datasets.yaml_file import YamlFile
from afrd.errors import DatasetError
from afrd.progress import Progress
from afrd.render.classes import CLASSES
from afrd.render.engine import LLVM, SCALAR, Samples, mitsuba, samples_of
from afrd.render.rig_file import AIM, Rig
from afrd.render.sample import render_object
from afrd.render.stage import CAMERA_HEIGHT, FOCAL, LIGHT_DIRECTIONS, SPOT_DISTANCE
from afrd.render.writing import LAST, sample_name, write_sample

RECIPE, RECIPE_NOW = 1, 2
"""Counts up when the same seed would give other pictures than before: 2 since pictures of 1024² and the compiled
variant take other samples; smaller ones in the scalar variant are still those of 1."""

_RECIPE_FILE, _LIGHTS_FILE, _PARTIAL = "render.yaml", "lights.yaml", ".partial"
_TIMES = ("exposure_ms", "switching_ms")
_NO_PICTURE = {"lights": {"__all__": set(_TIMES)}}  # of a rig: what may change while a set grows
_SIZES = (16, 4096)
_LEAST_DEFECT = 3  # pixels


@dataclass(frozen=True)
class _Object:
    """One object to render; picklable, as it travels to a worker process."""

    out: Path
    name: str
    split: str
    index: int
    seed: int
    size: int
    camera: bool
    defect_size: tuple[float, float] | None
    rig: Rig | None
    variant: str

    @property
    def bad(self) -> bool:
        """In the test splits every other object, the first one bad: half and half, whatever the number."""
        return self.split.startswith("test") and self.index % 2 == 0

    @property
    def folder(self) -> Path:
        return self.out / self.name / self.split / "data"

    @property
    def done(self) -> bool:
        return (self.folder / f"{sample_name(self.split, self.index)}_{LAST}").exists()


def render_dataset(
    out: Path,
    classes: Sequence[str],
    *,
    train: int,
    val: int,
    test: int,
    test_private: int = 0,
    size: int = 256,
    seed: int = 0,
    camera: bool = True,
    defect_size: tuple[float, float] | None = None,
    rig: Rig | None = None,
    llvm: bool = False,
    workers: int = 0,
    progress: Progress | None = None,
) -> None:
    """Renders captures of `classes` into `out`, in the Eyecandies layout, and goes on where an earlier call stopped.

    train, val: good captures a class. test, test_private: captures in `test_public` and `test_private`, half of them
        bad (of an odd number, one more). test_private has no labels on disk.
    camera: photographed as stations do (`afrd.render.camera`), or with hardly any noise.
    defect_size: least and largest size of defects in pixels, see `render_object`; None: relative to the part.
    rig: of a rig file (`afrd.render.rig_file`), instead of the six lights.
    llvm: by Mitsuba's compiled variant, which needs LLVM's library; less time for large pictures. Its noise is another,
        so such a set goes on with it alone.
    size: side of the square images in pixels. seed: the same one gives the same bytes, whatever `workers`.
    workers: processes; 0 is one a core. More than one are started by `spawn`: call this under `__main__`'s guard.
    progress: called with (captures done, captures in all), first with those that were there already.

    Raises DatasetError for unknown classes, numbers out of range, an `out` that holds something else, another seed or
    size, or more captures than asked for; llvm without LLVM's library; MissingExtraError without Mitsuba.
    """
    out = Path(out)
    counts = {"train": train, "val": val, "test_public": test, "test_private": test_private}
    _check(classes, counts, size, seed, workers, defect_size)
    variant = LLVM if llvm else SCALAR
    mitsuba(variant)
    wanted = [
        _Object(out, name, split, index, seed, size, camera, defect_size, rig, variant)
        for name in dict.fromkeys(classes)
        for split, count in counts.items()
        for index in range(count)
    ]
    missing = [item for item in wanted if not item.done]
    _claim(out, seed, size, camera, defect_size, rig, variant, whole=not missing)
    _check_surplus(out, classes, counts)
    shutil.rmtree(out / _PARTIAL, ignore_errors=True)
    _write(out, _LIGHTS_FILE, {"lights": _lights(rig)})
    done = len(wanted) - len(missing)
    report = progress or (lambda done, total: None)
    report(done, len(wanted))
    for _ in _rendered(missing, min(workers or os.cpu_count() or 1, max(len(missing), 1))):
        done += 1
        report(done, len(wanted))
    shutil.rmtree(out / _PARTIAL, ignore_errors=True)


def _lights(rig: Rig | None) -> list[dict[str, Any]]:
    """As in lights.yaml; distances in widths of the picture."""
    width = (CAMERA_HEIGHT - AIM[2]) / FOCAL
    if rig is None:
        away = {"distance": round(SPOT_DISTANCE / width, 4)}
        return [
            {"name": name, "direction": list(towards), **away} if towards else {"name": name, "direction": None}
            for name, towards in LIGHT_DIRECTIONS.items()
        ]
    lights = []
    for light in rig.lights:
        known: dict[str, Any] = {"direction": list(light.direction)} if light.direction else {}
        known |= {"distance": round(light.directed.distance / width, 4)} if light.directed else {}
        known |= {time: value for time in _TIMES if (value := getattr(light, time)) is not None}
        lights.append({"name": light.name, **known})
    return lights


def _rendered(items: list[_Object], workers: int) -> Iterator[None]:
    """Renders the items, one yield each, in the order in which they are finished."""
    if workers == 1:
        for item in items:
            _render(item)
            yield
        return
    spawn = multiprocessing.get_context("spawn")  # a fork would copy the renderer's threads and locks
    with ProcessPoolExecutor(workers, mp_context=spawn, initializer=end_with_parent) as pool:
        futures = [pool.submit(_render, item) for item in items]
        try:
            for future in as_completed(futures):
                future.result()
                yield
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _render(item: _Object) -> None:
    mitsuba(item.variant)
    candy = CLASSES[item.name]()
    rendered = render_object(
        candy,
        item.split,
        item.index,
        bad=item.bad,
        seed=item.seed,
        size=item.size,
        camera=item.camera,
        defect_size=item.defect_size,
        rig=item.rig,
    )
    name = sample_name(item.split, item.index)
    partial = item.out / _PARTIAL / f"{item.name}-{item.split}-{name}-{os.getpid()}"
    write_sample(rendered, item.folder, name, partial, labelled=item.split != "test_private")


def _check(
    classes: Sequence[str],
    counts: dict[str, int],
    size: int,
    seed: int,
    workers: int,
    defect_size: tuple[float, float] | None,
) -> None:
    unknown = [name for name in classes if name not in CLASSES]
    if unknown or not classes:
        said = f"no class named {', '.join(unknown)}" if unknown else "no class given"
        raise DatasetError(f"{said}: choose from {', '.join(CLASSES)}")
    for what, count in counts.items():
        if count < 0:
            raise DatasetError(f"{what}: {count} captures; expected 0 or more")
    if not any(counts.values()):
        raise DatasetError("0 captures in every split: ask for at least one")
    if not _SIZES[0] <= size <= _SIZES[1]:
        raise DatasetError(f"image size {size}: expected {_SIZES[0]} to {_SIZES[1]} pixels")
    if seed < 0 or workers < 0:
        raise DatasetError(f"{'seed' if seed < 0 else 'workers'} {min(seed, workers)}: expected 0 or more")
    if defect_size and not _LEAST_DEFECT <= defect_size[0] < defect_size[1] <= size / 2:
        raise DatasetError(
            f"defect size {defect_size[0]:g} to {defect_size[1]:g} px: expected two sizes, the smaller first, from "
            f"{_LEAST_DEFECT} to {size // 2} px, half the picture"
        )


def _claim(
    out: Path,
    seed: int,
    size: int,
    camera: bool,
    defect_size: tuple[float, float] | None,
    rig: Rig | None,
    variant: str,
    whole: bool,
) -> None:
    """Makes `out` a rendered data set of this seed and size, or makes sure that it is one. whole: nothing is missing,
    so that it does not matter how the rest would be rendered.
    """
    as_ever = variant == SCALAR and samples_of(size) == Samples()
    recipe: dict[str, Any] = {"variant": variant, "recipe": RECIPE if as_ever else RECIPE_NOW}
    recipe |= {"seed": seed, "size": size, "camera": camera}
    recipe |= {"defect_size": list(map(float, defect_size)) if defect_size else None}
    recipe |= {"rig": rig.model_dump(mode="json", exclude_none=True, exclude=_NO_PICTURE)} if rig else {}
    path = out / _RECIPE_FILE
    if path.exists():
        found = YamlFile(path, f"delete {out} or choose another folder").value
        if isinstance(found, dict) and "rig" in found and rig is None:
            raise DatasetError(
                f"{out} was rendered with a rig file: give it again, use another folder, or delete this one"
            )
        of_older = {"camera": False, "variant": SCALAR}
        for key, value in recipe.items():
            was = (of_older | found).get(key) if isinstance(found, dict) else None
            if was == value or (whole and key in ("recipe", "variant")):
                continue
            if (key, was, value) == ("recipe", RECIPE, RECIPE_NOW) and variant == SCALAR:
                raise DatasetError(
                    f"{out} was begun by an earlier afrd, with more samples a pixel: it can be used, not extended; "
                    "render the rest into another folder"
                )
            if key == "variant":
                how = "without --llvm" if variant == LLVM else "with --llvm"
                raise DatasetError(f"{out} was rendered {how}: go on so, or use another folder")
            raise DatasetError(
                f"{out} was rendered with {key} {was}, not {value}: use another folder, or delete this one"
            )
        return
    if out.exists() and (not out.is_dir() or any(item.name != _PARTIAL for item in out.iterdir())):
        raise DatasetError(f"{out} exists and holds other files (no {_RECIPE_FILE}): choose a new or empty folder")
    _write(out, _RECIPE_FILE, recipe)


def _check_surplus(out: Path, classes: Sequence[str], counts: dict[str, int]) -> None:
    """A render never deletes, so a folder with more captures than asked for cannot become what was asked for."""
    for name in classes:
        for split, count in counts.items():
            there = [int(p.name.split("_")[0]) for p in (out / name / split / "data").glob(f"*_{LAST}")]
            if max(there, default=-1) >= count:
                raise DatasetError(
                    f"{out / name / split} already holds {len(there)} captures, more than the {count} asked for: "
                    "ask for as many, use another folder, or delete this one"
                )


def _write(out: Path, name: str, content: Mapping[str, object]) -> None:
    partial = out / _PARTIAL / name
    partial.parent.mkdir(parents=True, exist_ok=True)
    partial.write_text(yaml.safe_dump(dict(content), sort_keys=False), encoding="utf-8")
    partial.replace(out / name)

"""As what a model sees its captures: what a user says of them, and what good ones show."""

import math
import warnings

from afrd.datasets import CaptureSet, read_ahead
from afrd.datasets.roi import read_region
from afrd.errors import DatasetError
from afrd.imaging import Imaging, ImagingOptions, Motion
from afrd.imaging.alignment import Alignment
from afrd.imaging.gain import Gain
from afrd.imaging.motion import LEARNED_FROM
from afrd.imaging.region import AUTO
from afrd.imaging.tiles import LEAST, MOST, STRIDE, Tiling, tile_for, tiles_of
from afrd.model import MultiLightModel


def learn_imaging(
    captures: CaptureSet, image_size: int, region_of: Imaging | None = None, first: CaptureSet | None = None
) -> Imaging:
    """From good captures, whose options say what is wanted. image_size: of the model.

    region_of: its region of interest, and how that follows a part, are taken over, if it has one. first: the one that a
        region is drawn on that follows the part, where it may not be among them; None: the first of them.

    Raises DatasetError: captures that cannot be registered, as `Motion.learn`; a region that is empty, of another size,
    or reaches outside; tiles that are too small or too many, or an overlap that is as large as they are, or of none.
    """
    options, imaging = captures.options, captures.imaging
    if options.dead_pixels == "repair":
        imaging = imaging.model_copy(update={"repairs": True})
        captures = captures.read_as(imaging)
    chosen = captures[:: math.ceil(len(captures) / LEARNED_FROM)]
    if region_of and region_of.region:
        imaging = imaging.model_copy(update={"region": region_of.region, "alignment": region_of.alignment})
        if problem := imaging.size_problem(chosen[0].images):
            raise DatasetError(f"capture {chosen[0].id}: {problem[0]}; {problem[1]}")
        imaging = _with_motion(imaging, chosen)
    elif options.roi is not None:
        follows, auto = options.align == "part", options.roi == AUTO
        if follows or auto:  # where the region lies, captures that are registered tell
            imaging = _with_motion(imaging, chosen)
        registered = chosen.read_as(imaging)
        region = read_region(options.roi, chosen[0].size, (capture.images for capture in read_ahead(registered)))
        alignment = None
        if follows:
            seen = (capture.images for capture in read_ahead(registered))
            drawn_on = (first or captures).read_as(imaging)[0]
            alignment = Alignment.to(drawn_on.images).learned(region, seen)
        imaging = imaging.model_copy(update={"region": region, "alignment": alignment})
        if not follows:
            imaging = _with_motion(imaging, chosen)
    elif options.align == "part":
        raise DatasetError("align: part lets a region of interest follow the part, and there is none; draw one: roi")
    else:
        imaging = _with_motion(imaging, chosen)
    if options.gain == "rig":
        gain = Gain.learn(capture.images for capture in read_ahead(captures.read_as(imaging)))
        imaging = imaging.model_copy(update={"gain": gain})
    if options.tile or options.resolution or options.smallest_defect:
        tile = _tile(options, image_size)
        size = chosen.read_as(imaging)[0].size
        tiling = tiles_of(size, tile, options.overlap)
        if tiling is None and (options.tile or options.resolution):
            warnings.warn(
                f"tile {tile}: larger than the captures of {size[1]}×{size[0]} px; each is looked at as one square",
                stacklevel=3,
            )
        if tiling and imaging.region and not imaging.alignment:
            tiling = tiling.within(imaging.region)
        if tiling and len(tiling) > MOST:
            raise DatasetError(
                f"tile {tiling.tile}, overlap {tiling.overlap}: makes {len(tiling)} tiles of a capture of "
                f"{size[1]}×{size[0]} px; expected {MOST} at most: give a larger --tile or --resolution, or a smaller "
                f"--overlap"
            )
        imaging = imaging.model_copy(update={"tiling": tiling})
    elif options.overlap is not None:
        raise DatasetError(
            f"overlap {options.overlap}: of tiles, and there are none; say how large: tile, resolution or "
            f"smallest_defect"
        )
    return imaging


def _with_motion(imaging: Imaging, captures: CaptureSet) -> Imaging:
    """With the motion that the options of captures, which are read without a region, ask for, if they do.

    Of the region's part of the picture; of the middle where the region follows the part, and lies anywhere.
    """
    kind = captures.options.motion
    if kind is None or kind == "none":
        return imaging
    inside = imaging.region.inside if imaging.region and not imaging.alignment else None
    seen = ((capture.id, capture.images) for capture in read_ahead(captures))
    motion = Motion.learn(kind, seen, captures.lights.triggers, inside)
    return imaging.model_copy(update={"motion": motion})


def tiling_of(captures: CaptureSet, image_size: int) -> Tiling | None:
    """The tiles that captures as large as the first are looked at in; None: one square, asked for tiles or not.

    Raises DatasetError as `learn_imaging`.
    """
    options = captures.options
    if options is None or not (options.tile or options.resolution or options.smallest_defect):
        return None
    return tiles_of(captures[0].size, _tile(options, image_size), options.overlap)


def _tile(options: ImagingOptions, image_size: int) -> int:
    """Its side in pixels. Raises DatasetError: a resolution that makes it too small."""
    if options.tile is not None:
        return options.tile
    if options.resolution is None:
        return tile_for(options.smallest_defect, image_size)
    tile = round(options.resolution * image_size / STRIDE)
    if tile < LEAST:
        raise DatasetError(
            f"resolution {options.resolution:g}: makes tiles of {tile} px; expected {LEAST} px at least, a resolution "
            f"of {LEAST * STRIDE / image_size:g} or more at image size {image_size}"
        )
    return tile


def look_where(model: MultiLightModel, imaging: Imaging) -> None:
    """Let the model look at the region of interest only. Raises DatasetError: it would never look at a piece."""
    size, region, tiling = model.image_size, imaging.region, imaging.tiling
    model.look_at(imaging.looked_at(size))
    if region is None or imaging.alignment:
        return
    scale = size / (tiling.tile if tiling else max(region.height, region.width))
    whole = (round(region.height * scale), round(region.width * scale)) if tiling else (size, size)
    step = 1 if tiling else getattr(model, "stride", 1)
    piece = region.unseen(whole, step)
    if piece is None:
        return
    x, y, width, height = piece
    raise DatasetError(
        f"roi: the piece of {width}×{height} px at {x}, {y} would never be looked at: a place of the map is "
        f"{step / scale:.3g} px wide, and none lies in it by half; look more closely, with --resolution "
        f"{min(width, height)}, or leave the piece out of the region"
    )

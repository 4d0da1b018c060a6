"""Views of a stored part on its page, by photometric stereo: albedo, normals, relief, no highlights, no shadows."""

import io
import threading
from dataclasses import fields
from functools import lru_cache
from pathlib import Path

import numpy as np
from fastapi import APIRouter, HTTPException, Request, Response
from PIL import Image

from afrd.datasets.images import read_image, together
from afrd.imaging.resizing import resize
from afrd.inspector import Inspector
from afrd.station.page import page, row_of, service_of
from afrd.views import Views, can_view, stereo_of
from afrd.views.views import views_of

router = APIRouter(include_in_schema=False)
NAMES = tuple(field.name for field in fields(Views))
SIDE = 768  # pixels, at most: for people, and cheap beside the line
_one_at_a_time = threading.Lock()


@router.get("/parts/{id}/views")
def part_views(request: Request, id: str) -> Response:
    """A piece of the part's page; empty where too few lights of the active model have a direction."""
    row, inspector = row_of(request, id), service_of(request).judge.version.inspector
    names = NAMES if row.folder and can_view(inspector.card.lights.rig()) else ()
    return page(request, "views.html", "Part", row=row, views=names)


@router.get("/parts/{id}/views/{name}.png")
def part_view(request: Request, id: str, name: str) -> Response:
    """One view. Raises HTTPException: no such part or view, or it is not of the active model's lights or pixels;
    ModelError: too few directions are known."""
    row, service = row_of(request, id), service_of(request)
    if name not in NAMES:
        raise HTTPException(404, f"part {id}: no view {name!r}; there are {', '.join(NAMES)}")
    inspector = service.judge.version.inspector
    if missing := [light for light in inspector.lights.names if light not in row.files]:
        raise HTTPException(404, f"part {id}: was taken without {', '.join(missing)}, which the active model reads")
    paths = tuple(service.store.files.path(row.folder or "", row.files[light]) for light in inspector.lights.names)
    with _one_at_a_time:  # the page asks for all of them at once
        pictures = _pictures(paths, inspector)
    return Response(pictures[name], media_type="image/png", headers={"Cache-Control": "private, max-age=600"})


@lru_cache(maxsize=1)
def _pictures(paths: tuple[Path, ...], inspector: Inspector) -> dict[str, bytes]:
    """paths: images in the order of the lights. Returns PNG files by view."""
    card = inspector.card
    stereo = stereo_of(card.lights.rig())
    images = together([read_image(path) for path in paths])
    if card.imaging:
        if problem := card.imaging.problem(images):
            raise HTTPException(422, f"the active model cannot see this part: {problem[0]}")
        images = card.imaging.see(images).images
    height, width = images.shape[-2:]
    shrunk = min(1.0, SIDE / max(height, width))
    views = views_of(stereo(resize(images, (max(1, round(shrunk * height)), max(1, round(shrunk * width))))))
    return {name: _png(picture) for name, picture in views.items()}


def _png(picture: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()

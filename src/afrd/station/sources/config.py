"""The sources of a station file, told apart by `kind`."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Source(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[\w.-]{1,64}$")


class FolderConfig(_Source):
    """A folder that others write captures into. path: relative to the data folder. pattern: as `afrd train --pattern`,
    without `{view}` and `{group}`: each capture is judged by itself.

    A capture is taken once all its images are there and none changed for `settle_seconds`; then they are moved to
    `done/`, or to `refused/` with the reason. One that stays incomplete for `incomplete_seconds` is refused.
    keep_days: after so long they are removed from there; None for never.
    """

    kind: Literal["folder"]
    path: Path
    pattern: str = "{id}/{light}.*"
    settle_seconds: float = Field(0.5, ge=0)
    incomplete_seconds: float = Field(60, gt=0)
    keep_days: float | None = Field(None, gt=0)


class CameraConfig(_Source):
    """A Basler camera, or pylon's emulator. serial: None takes the only one.

    trigger: "software": the station triggers one picture a light, a part every `every_seconds`. "Line1" …: the rig
    triggers, light after light in the station's order; a part whose pictures stop for `gap_seconds` is refused. They
    must be shorter than the pause between parts.
    exposure_us: microseconds. roi: [x, y, width, height] in pixels. settings: any other node of the camera by its name.
    """

    kind: Literal["camera"]
    serial: str | None = None
    trigger: str = Field("software", pattern=r"^(software|Line[1-9])$")
    every_seconds: float = Field(1.0, ge=0)
    gap_seconds: float = Field(1.0, gt=0)
    exposure_us: float | None = Field(None, gt=0)
    pixel_format: str | None = None
    roi: tuple[int, int, int, int] | None = None
    settings: dict[str, Any] = {}


SourceConfig = Annotated[FolderConfig | CameraConfig, Field(discriminator="kind")]

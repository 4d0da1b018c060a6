"""What a training run is asked to do. Every family of models extends it by settings of its own.

No torch here: the command line makes its options from these fields.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from afrd.card import Strict
from afrd.fail_safe import OnLightFault
from afrd.families.registry import AUTO, acting_on, family_of, resolve
from afrd.imaging import ImagingOptions

if TYPE_CHECKING:
    from afrd.datasets import CaptureSet

WITHOUT_EFFECT = "without_effect"  # the type of pydantic's error; its context has the settings as `names`


def _names(value: Any) -> Any:
    """A command line gives names separated by commas."""
    return tuple(name.strip() for name in value.split(",")) if isinstance(value, str) else value


class TrainConfig(Strict):
    """Settings that act on every family. `TrainConfig(fusion="mean", epochs=40)` is the config of that family.

    `fusion` decides, in Python and in YAML, which settings there are besides. Raises ModelError: no such fusion;
    pydantic's ValidationError: a setting that acts on other families only, or on none, or a value out of range.
    """

    fusion: str = Field(AUTO, description="The model.")
    teacher: str = Field(
        "efficientnet_lite0",
        description="timm backbone with strides 4, 8, 16, as efficientnet_lite2, wide_resnet50_2; or dinov2_vits14.",
    )
    teacher_weights: str | None = Field(
        None, description="File (.pth, .safetensors) or 'random'; none: the teacher's ImageNet weights."
    )
    image_size: int = Field(256, description="Captures are resized to this square; a multiple of 32.")
    top_share: float = Field(
        0.0, ge=0, le=1, description="Score: mean of this share of the highest pixels; 0 is the maximum."
    )
    false_alarm_rate: float = Field(
        0.05, gt=0, lt=1, description="Share of good parts that may be called anomalous; sets the threshold."
    )
    tail: Literal["conformal", "gpd"] = Field(
        "conformal",
        description="Rates below 1 / (held-out parts + 1): conformal says what can be promised, gpd extrapolates.",
    )
    holdout_share: float = Field(
        0.1, gt=0, lt=1, description="Of train, held out for the threshold where there is no val split."
    )
    on_light_fault: OnLightFault = Field(
        "reject", description="Where a light failed: reject (verdict light fault) or leave-out (judge by the others)."
    )
    seed: int = Field(0, ge=0, lt=2**32, description="The same seed gives the same model.")
    accelerator: str = Field("auto", description="auto, cpu, cuda, mps.")
    memory_gb: float = Field(
        2.0, ge=0, description="For pictures that were read already; what does not fit is read again when needed."
    )
    lights: Annotated[tuple[str, ...] | None, BeforeValidator(_names)] = Field(
        None, description="Learn from these lights only, separated by commas; the model reads no others."
    )
    imaging: ImagingOptions = Field(
        ImagingOptions(), description="What the camera's pictures are; it comes before what lights.yaml says."
    )

    def __new__(cls, **values: Any) -> "TrainConfig":
        """Of the family that `fusion` names."""
        return super().__new__(family_of(values.get("fusion", AUTO)).config if cls is TrainConfig else cls)

    @classmethod
    def acting(cls, fusion: str = AUTO, **values: Any) -> "TrainConfig":
        """With those of the values that act on this fusion; the ones that act on other families are left out."""
        config = family_of(fusion).config
        own = {k: v for k, v in values.items() if k in config.model_fields or not acting_on(k)}
        return config(fusion=fusion, **own)

    @classmethod
    def for_auto(cls, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """The settings where the model was not named but left to the captures."""
        return data

    def resolved(self, captures: "CaptureSet") -> "TrainConfig":
        """With every choice made that depends on the training captures; perhaps of another family.

        Raises ModelError: settings that were given and do not act on that family.
        """
        return self

    def why(self, fusion: str, lights: int) -> str | None:
        """Why captures with so many lights got the model of that name (`resolved`); None where it was asked for."""
        return None

    def fabric(self) -> dict[str, Any]:
        """What Lightning Fabric is started with."""
        return {"accelerator": self.accelerator, "devices": 1}

    def deciding(self) -> dict[str, Any]:
        """What the trained model depends on: a run is continued only if none of it has changed."""
        return _flat(self.model_dump(mode="json", exclude={"memory_gb"}))

    @model_validator(mode="wrap")
    @classmethod
    def _of_its_family(cls, data: Any, handler: Callable[[Any], Self]) -> "TrainConfig":
        if not isinstance(data, Mapping):
            return handler(data)
        if cls is TrainConfig:
            return family_of(data.get("fusion", AUTO)).config.model_validate(data)
        if data.get("fusion", AUTO) == AUTO:
            data = cls.for_auto(data)
        data = {**data, "fusion": resolve(data.get("fusion", cls.model_fields["fusion"].default))}
        idle = [name for name in data if name not in cls.model_fields and acting_on(name)]
        if idle:
            raise PydanticCustomError(
                WITHOUT_EFFECT,
                "{settings}: without effect on the model {fusion}; acts on {others}",
                {
                    "names": idle,
                    "settings": ", ".join(idle),
                    "fusion": data["fusion"],
                    "others": ", ".join(acting_on(idle[0])),
                },
            )
        return handler(data)


def _flat(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by their dotted names."""
    flat: dict[str, Any] = {}
    for name, value in data.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat

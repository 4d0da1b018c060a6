"""The sinks of a station file, told apart by `kind`. Secrets come from the environment and are never written here."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, field_validator


class _Sink(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[\w.-]{1,64}$")


class WebhookConfig(_Sink):
    """Every answer as `POST` to `url`, signed with the secret in the environment variable `secret_env`."""

    kind: Literal["webhook"]
    url: HttpUrl
    secret_env: str
    timeout_seconds: float = Field(10, gt=0)

    @field_validator("url")
    @classmethod
    def _no_secret(cls, url: HttpUrl) -> HttpUrl:
        if url.username or url.password:
            raise ValueError("holds a name or a password, which logs would show; the receiver checks the signature")
        return url


class MqttConfig(_Sink):
    """Every answer on `<topic>/result`, with quality of service 1; `<topic>/state` says online or offline, retained."""

    kind: Literal["mqtt"]
    host: str
    port: int | None = Field(None, ge=1, le=65535, description="Left out: 1883, with tls 8883.")
    topic: str = Field(pattern=r"^[^#+\x00]{1,200}$")
    user: str | None = None
    password_env: str | None = None
    tls: bool = False
    timeout_seconds: float = Field(10, gt=0)

    @property
    def at_port(self) -> int:
        """As said, else the registered one."""
        return self.port or (8883 if self.tls else 1883)


class AnswerFileConfig(_Sink):
    """The newest answer in one small file for a PLC that polls; relative to the data folder."""

    kind: Literal["file"]
    path: Path


class OpcUaConfig(_Sink):
    """A server with the newest answer, the model and the health of the lights, named after OPC 40100-1."""

    kind: Literal["opcua"]
    endpoint: str = Field("opc.tcp://127.0.0.1:4840/afrd/", pattern=r"^opc\.tcp://")


SinkConfig = Annotated[WebhookConfig | MqttConfig | AnswerFileConfig | OpcUaConfig, Field(discriminator="kind")]


def needs_outbox(sink: SinkConfig) -> bool:
    """Whether every answer must arrive; the others show the newest alone."""
    return isinstance(sink, WebhookConfig | MqttConfig)

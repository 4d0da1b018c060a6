"""The sinks of one station, opened from its file and told of every answer."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from afrd.errors import MissingExtraError, StationError
from afrd.station.history import History
from afrd.station.records import answer
from afrd.station.sinks.answer_file import AnswerFile
from afrd.station.sinks.config import AnswerFileConfig, MqttConfig, OpcUaConfig, SinkConfig, WebhookConfig
from afrd.station.sinks.newest import Newest
from afrd.station.sinks.outbox import Outbox
from afrd.station.sinks.webhook import Webhook


class Sinks:
    """status: whether the station judges, and by which model.

    Raises StationError: a secret's environment variable is not set; MissingExtraError.
    """

    def __init__(
        self,
        configs: Sequence[SinkConfig],
        engine: Engine,
        station: str,
        data: Path,
        lights: Sequence[str],
        status: Callable[[], tuple[bool, str]],
    ) -> None:
        self._outboxes: list[Outbox] = []
        self._newest: list[Newest] = []
        for config in configs:
            match config:
                case WebhookConfig():
                    delivery = Webhook(config, _secret(config.secret_env, config.name))
                    self._outboxes.append(Outbox(engine, station, config.name, delivery))
                case MqttConfig():
                    self._outboxes.append(Outbox(engine, station, config.name, _mqtt(config)))
                case AnswerFileConfig():
                    self._newest.append(Newest(config.name, AnswerFile(data / config.path)))
                case OpcUaConfig():
                    self._newest.append(_opcua(config, engine, station, lights, status))

    def start(self) -> None:
        """Deliver."""
        for sink in (*self._outboxes, *self._newest):
            sink.start()

    def stop(self) -> None:
        """What was not delivered waits for the next start."""
        for sink in (*self._newest, *self._outboxes):
            sink.stop()

    def tell(self, told: dict[str, Any]) -> None:
        """An answer is on record. Returns at once."""
        for outbox in self._outboxes:
            outbox.wake()
        for newest in self._newest:
            newest.put(told)

    def problems(self) -> list[str]:
        """Of each that does not work at present."""
        found = [f"sink {each.name}: {each.trouble}" for each in self._newest if each.trouble]
        for each in self._outboxes:
            if each.trouble:
                found.append(f"sink {each.name}: {_waiting(each)} messages wait ({each.trouble})")
        return found


def _waiting(outbox: Outbox) -> str:
    try:
        return str(outbox.waiting())
    except SQLAlchemyError:
        return "unknown how many"  # the database may be the trouble


def _secret(variable: str, sink: str) -> str:
    if not (secret := os.environ.get(variable)):
        raise StationError(f"sink {sink}: the environment variable {variable} is not set; set it to the shared secret")
    return secret


def _mqtt(config: MqttConfig):
    try:
        from afrd.station.sinks.mqtt import Mqtt
    except ModuleNotFoundError as error:
        raise MissingExtraError("paho-mqtt", "mqtt") from error
    return Mqtt(config, _secret(config.password_env, config.name) if config.password_env else None)


def _opcua(config: OpcUaConfig, engine: Engine, station: str, lights: Sequence[str], status) -> Newest:
    try:
        from afrd.station.sinks.opcua import ERROR, KEPT, READY, OpcUa
    except ModuleNotFoundError as error:
        raise MissingExtraError("asyncua", "opcua") from error
    history = History(engine, station)

    def now() -> tuple[str, str]:
        judges, model = status()
        return READY if judges else ERROR, model

    def past() -> list[dict[str, Any]]:
        return [answer(row) for row in reversed(history.page(limit=KEPT) or []) if row.state != "taken"]

    return Newest(config.name, OpcUa(config, station, lights, now, past), KEPT)

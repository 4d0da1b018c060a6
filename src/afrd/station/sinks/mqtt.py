"""Answers over MQTT, quality of service 1."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from paho.mqtt.client import Client, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion

from afrd.station.sinks.config import MqttConfig
from afrd.station.sinks.outbox import DeliveryError

_ONLINE, _OFFLINE = "online", "offline"


class Mqtt:
    """One connection, made anew after every trouble, so that nothing old is sent by the library itself."""

    def __init__(self, config: MqttConfig, password: str | None) -> None:
        self._config, self._password = config, password
        self._client: Client | None = None

    def open(self) -> None:
        with self._trouble_told():
            if self._client is None:
                self._connect()

    def deliver(self, message: dict[str, Any]) -> None:
        self.open()
        with self._trouble_told():
            payload = json.dumps(message, ensure_ascii=False)
            self._sent(self._client.publish(f"{self._config.topic}/result", payload, qos=1))

    def close(self) -> None:
        """Say offline and go. Where the broker is away, its last will has said so."""
        if self._client is not None:
            with contextlib.suppress(ValueError, RuntimeError):
                self._client.publish(self._state, _OFFLINE, qos=1, retain=True).wait_for_publish(2)
            self._drop()

    @property
    def _state(self) -> str:
        return f"{self._config.topic}/state"

    @contextlib.contextmanager
    def _trouble_told(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError, RuntimeError) as error:
            self._drop()
            raise DeliveryError(f"{self._config.host}:{self._config.at_port}: {error}") from error
        except DeliveryError:
            self._drop()
            raise

    def _connect(self) -> None:
        config = self._config
        client = Client(CallbackAPIVersion.VERSION2)
        client.on_connect = self._say_online  # also where the library connects again by itself, after the last will
        if config.user is not None:
            client.username_pw_set(config.user, self._password)
        if config.tls:
            client.tls_set()
        client.will_set(self._state, _OFFLINE, qos=1, retain=True)
        client.connect_timeout = config.timeout_seconds
        client.connect(config.host, config.at_port, keepalive=15)
        client.loop_start()
        self._client = client
        self._sent(client.publish(self._state, _ONLINE, qos=1, retain=True))

    def _say_online(self, client: Client, *_: Any) -> None:
        client.publish(self._state, _ONLINE, qos=1, retain=True)

    def _sent(self, info: MQTTMessageInfo) -> None:
        info.wait_for_publish(self._config.timeout_seconds)
        if not info.is_published():
            raise DeliveryError(f"{self._config.host}:{self._config.at_port}: no acknowledgement")

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.disconnect()
            client.loop_stop()

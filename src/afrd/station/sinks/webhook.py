"""Answers as signed HTTP requests."""

import hashlib
import hmac
import json
import time
import urllib.error
import urllib.request
from typing import Any

from afrd.station.records import NOT_JUDGED
from afrd.station.sinks.config import WebhookConfig
from afrd.station.sinks.outbox import DeliveryError

SIGNATURE, DELIVERY = "X-Afrd-Signature", "X-Afrd-Delivery"


class Webhook:
    """Posts JSON. A receiver checks `signature` and ignores a delivery id that it has seen; any 2xx says it has it."""

    def __init__(self, config: WebhookConfig, secret: str) -> None:
        self._config, self._secret = config, secret
        self._where = f"{config.url.scheme}://{config.url.host}{config.url.path}"
        self._opener = urllib.request.build_opener(_NoRedirect())

    def open(self) -> None:
        """Every message has a connection of its own."""

    def deliver(self, message: dict[str, Any]) -> None:
        body = json.dumps(message, ensure_ascii=False).encode()
        headers = {
            "Content-Type": "application/json",
            DELIVERY: _delivery(message),
            SIGNATURE: signature(self._secret, body, int(time.time())),
        }
        request = urllib.request.Request(str(self._config.url), body, headers, method="POST")
        try:
            with self._opener.open(request, timeout=self._config.timeout_seconds) as answer:
                answer.read(1 << 16)
        except urllib.error.HTTPError as error:
            raise DeliveryError(f"{self._where} answered {error.code}") from error
        except OSError as error:
            raise DeliveryError(f"{self._where}: {getattr(error, 'reason', None) or error}") from error

    def close(self) -> None:
        """Nothing is kept open."""


def _delivery(message: dict[str, Any]) -> str:
    """A part that could not be judged may be sent again and judged: that is another message."""
    told = f"{message['station']}/{message['id']}"
    return f"{told}/not-judged" if message.get("verdict") == NOT_JUDGED else told


def signature(secret: str, body: bytes, at: int) -> str:
    """`t=<seconds since 1970>,v1=<hex HMAC-SHA256 of "<t>." + body>`; a receiver refuses an old t."""
    digest = hmac.digest(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hex()
    return f"t={at},v1={digest}"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """A signed message goes to its address and nowhere else."""

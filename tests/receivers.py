"""Who is told by sinks: a web server, a broker and who listens to it, and one that takes a connection and is silent."""

import hashlib
import hmac
import json
import os
import shutil
import socket
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from sinks import listens, until

SECRET = "shared-with-the-mes"
MOSQUITTO = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")


class Receiver:
    """A web server that keeps what it is sent, and answers 500 while it is `ill`."""

    def __init__(self, port: int) -> None:
        self.messages: list[dict] = []
        self.ill = False
        self.wrong: list[str] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                at, digest = (part.split("=")[1] for part in self.headers["X-Afrd-Signature"].split(","))
                expected = hmac.new(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
                message = json.loads(body)
                if digest != expected or self.headers["X-Afrd-Delivery"] != f"{message['station']}/{message['id']}":
                    receiver.wrong.append(message["id"])
                if not receiver.ill:
                    receiver.messages.append(message)
                self.send_response(500 if receiver.ill else 204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Nobody listens any more."""
        self._server.shutdown()
        self._server.server_close()


class Broker:
    """mosquitto on a port of its own. It keeps what is retained in its folder, for the next one there."""

    def __init__(self, folder: Path, port: int) -> None:
        folder.mkdir(exist_ok=True)
        config, self._log = folder / "mosquitto.conf", folder / "log"
        config.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {folder}/\n"
            + ("user root\n" if os.getuid() == 0 else "")
        )
        self.process = subprocess.Popen([MOSQUITTO, "-c", str(config)], stderr=self._log.open("w"))
        until(lambda: listens(port))

    def has_a_client(self) -> bool:
        """Whether somebody connected since it started."""
        return "New client connected" in self._log.read_text()

    def end(self) -> None:
        """Gone, as an administrator stops it: it still sends the last wills."""
        self.process.terminate()
        self.process.wait(30)


class Subscriber:
    """Keeps what arrives below cell-3. name: under which the broker keeps what came while it was away."""

    def __init__(self, port: int, name: str = "") -> None:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        self.results: list[dict] = []
        self.states: list[str] = []
        self.subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, name, clean_session=not name)
        self._client.on_connect = lambda client, *_: client.subscribe("cell-3/#", qos=1)
        self._client.on_subscribe = lambda *_: self.subscribed.set()
        self._client.on_message = self._keep
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self.subscribed.wait()

    def _keep(self, _client, _data, message) -> None:
        if message.topic == "cell-3/result":
            self.results.append(json.loads(message.payload))
        else:
            self.states.append(message.payload.decode())

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class Silent:
    """Takes every connection on a port and never says a word."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_server(("127.0.0.1", port))
        self.taken: list[socket.socket] = []
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        try:
            while True:
                self.taken.append(self._socket.accept()[0])
        except OSError:
            """Closed."""

    def close(self) -> None:
        """Nobody listens any more."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for each in self.taken:
            each.close()

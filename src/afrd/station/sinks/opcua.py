"""An OPC UA server with the station's newest answer. Names after OPC 40100-1, Machine Vision."""

import asyncio
import json
import threading
from collections import deque
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from typing import Any

from asyncua import Server, ua
from asyncua.common.node import Node

from afrd.fail_safe import lights_in
from afrd.station.records import NOT_JUDGED
from afrd.station.sinks.config import OpcUaConfig

NAMESPACE = "urn:afrd:station"
KEPT = 500
_SECONDS, _OPENING_SECONDS = 30, 600  # its address space takes seconds to build, and minutes on a busy machine


class OpcUa:
    """VisionSystem: SystemState, ActiveRecipe (the model), LatestResult (ResultId, Verdict, Score, …), Lights, Results.

    A light's health is "good", or what the newest capture says of it, or "unknown" where that was not judged. Results:
    the newest `KEPT` answers as JSON, oldest first, for a client that was away.
    """

    def __init__(self, config: OpcUaConfig, station: str, lights: Sequence[str]) -> None:
        self._config, self._station, self._lights = config, station, tuple(lights)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: Server | None = None
        self._nodes: dict[str, Node] = {}
        self._health: dict[str, Node] = {}
        self._results: deque[str] = deque(maxlen=KEPT)

    def begin(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="opcua", daemon=True).start()
        try:
            self._run(self._open(), _OPENING_SECONDS)
        except BaseException:
            self._loop.call_soon_threadsafe(self._loop.stop)
            raise

    def show(self, answer: dict[str, Any]) -> None:
        self._run(self._write(answer))

    def close(self) -> None:
        self._run(self._server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _run(self, work: Coroutine[Any, Any, None], seconds: float = _SECONDS) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds)

    async def _open(self) -> None:
        server = Server()
        await server.init()
        server.set_endpoint(self._config.endpoint)
        server.set_server_name(f"afrd station {self._station}")
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        space = await server.register_namespace(NAMESPACE)
        system = await server.nodes.objects.add_object(space, "VisionSystem")
        result = await system.add_object(space, "LatestResult")
        health = await system.add_object(space, "Lights")
        text, number = ua.VariantType.String, ua.VariantType.Double
        for parent, name, kind in (
            (system, "SystemState", text),
            (system, "ActiveRecipe", text),
            (result, "ResultId", text),
            (result, "Verdict", text),
            (result, "Score", number),
            (result, "Threshold", number),
            (result, "ShownBy", text),
            (result, "Count", ua.VariantType.UInt64),
            (result, "CreationTime", ua.VariantType.DateTime),
        ):
            initial = {text: "", number: 0.0, ua.VariantType.UInt64: 0}.get(kind, datetime(1970, 1, 1))
            self._nodes[name] = await parent.add_variable(space, name, initial, kind)
        self._nodes["Results"] = await system.add_variable(space, "Results", ua.Variant([], text, is_array=True))
        for light in self._lights:
            self._health[light] = await health.add_variable(space, light, "", text)
        await self._nodes["SystemState"].write_value("Ready")
        await server.start()
        self._server = server

    async def _write(self, answer: dict[str, Any]) -> None:
        nodes = self._nodes
        notes = answer["light_notes"]
        for light in self._lights:
            wrong = [note for note in notes if light in lights_in(note, self._lights)]
            sound = "unknown" if answer["verdict"] == NOT_JUDGED else "good"
            await self._health[light].write_value("; ".join(wrong) or sound)
        for name, value in (
            ("ActiveRecipe", answer["model"] or ""),
            ("ResultId", answer["id"]),
            ("Verdict", answer["verdict"]),
            ("Score", float(answer["score"] or 0)),
            ("Threshold", float(answer["threshold"] or 0)),
            ("ShownBy", answer["shown_by"] or ""),
            ("CreationTime", datetime.now(UTC)),
        ):
            await nodes[name].write_value(value)
        self._results.append(json.dumps(answer, ensure_ascii=False))
        await nodes["Results"].write_value(ua.Variant(list(self._results), ua.VariantType.String, is_array=True))
        count = await nodes["Count"].read_value()
        await nodes["Count"].write_value(ua.Variant(count + 1, ua.VariantType.UInt64))  # last: now the rest is whole

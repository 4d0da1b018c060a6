"""An OPC UA server with the station's newest answer. Names after OPC 40100-1, Machine Vision."""

import asyncio
import json
import logging
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from asyncua import Server, ua
from asyncua.common.node import Node

from afrd.fail_safe import lights_in
from afrd.station.records import NOT_JUDGED
from afrd.station.sinks.config import OpcUaConfig

_log = logging.getLogger("afrd.station")
NAMESPACE = "urn:afrd:station"
KEPT = 3000  # a minute of a station that takes 50 captures a second
READY, ERROR, UNKNOWN = "Ready", "Error", "unknown"
_WATCH_SECONDS = 0.5  # how often state and model are looked at
_SECONDS, _OPENING_SECONDS = 30, 600  # its address space takes seconds to build, and minutes on a busy machine


class OpcUa:
    """VisionSystem: SystemState, ActiveRecipe (the model), LatestResult (ResultId, Verdict, Score, …), Lights, Results.

    SystemState: "Ready", or "Error" where the line does not judge. A light's health is "good", or what the newest
    capture says of it, or "unknown" where that was not judged and before the first. Results: the newest `KEPT` answers
    as JSON, oldest first, for a client that was away.

    status(): the state, and the model that judges now. past(): the answers on record, oldest first.
    """

    def __init__(
        self,
        config: OpcUaConfig,
        station: str,
        lights: Sequence[str],
        status: Callable[[], tuple[str, str]],
        past: Callable[[], Iterable[dict[str, Any]]] = tuple,
    ) -> None:
        self._config, self._station, self._lights = config, station, tuple(lights)
        self._status, self._past = status, past
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: Server | None = None
        self._nodes: dict[str, Node] = {}
        self._health: dict[str, Node] = {}
        self._watching: asyncio.Task[None] | None = None
        self._results: deque[str] = deque(maxlen=KEPT)

    def begin(self) -> None:
        self._results.clear()
        self._results.extend(map(_line, self._past()))
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
        self._run(self._end())
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
        self._nodes["Results"] = await system.add_variable(space, "Results", self._kept())
        for light in self._lights:
            self._health[light] = await health.add_variable(space, light, UNKNOWN, text)
        await self._show_status()
        await server.start()
        self._server = server
        self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            try:
                await self._show_status()
            except Exception:  # of one look; the next comes soon
                _log.exception("opcua: state and model could not be shown")

    async def _show_status(self) -> None:
        for name, value in zip(("SystemState", "ActiveRecipe"), self._status(), strict=True):
            if await self._nodes[name].read_value() != value:
                await self._nodes[name].write_value(value)

    async def _end(self) -> None:
        self._watching.cancel()
        await self._server.stop()

    def _kept(self) -> ua.Variant:
        return ua.Variant(list(self._results), ua.VariantType.String, is_array=True)

    async def _write(self, answer: dict[str, Any]) -> None:
        nodes = self._nodes
        notes = answer["light_notes"]
        for light in self._lights:
            wrong = [note for note in notes if light in lights_in(note, self._lights)]
            sound = UNKNOWN if answer["verdict"] == NOT_JUDGED else "good"
            await self._health[light].write_value("; ".join(wrong) or sound)
        for name, value in (
            ("ResultId", answer["id"]),
            ("Verdict", answer["verdict"]),
            ("Score", float(answer["score"] or 0)),
            ("Threshold", float(answer["threshold"] or 0)),
            ("ShownBy", answer["shown_by"] or ""),
            ("CreationTime", datetime.now(UTC)),
        ):
            await nodes[name].write_value(value)
        await self._show_status()
        if (line := _line(answer)) not in self._results:  # it may have been on record when this began
            self._results.append(line)
        await nodes["Results"].write_value(self._kept())
        count = await nodes["Count"].read_value()
        await nodes["Count"].write_value(ua.Variant(count + 1, ua.VariantType.UInt64))  # last: now the rest is whole


def _line(answer: dict[str, Any]) -> str:
    return json.dumps(answer, ensure_ascii=False)

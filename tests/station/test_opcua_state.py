"""What a client of the OPC UA server reads before the first part, after a model was activated, and after a restart."""

import asyncio
import json
import shutil

from asyncua import Client

from afrd.station.sinks.config import OpcUaConfig
from afrd.station.sinks.opcua import OpcUa
from sinks import start, until
from station_process import free_port

LIGHTS = ("left", "right", "top")


def read(endpoint: str) -> dict:
    """SystemState, ActiveRecipe, Results and the health of each light; empty while nobody listens."""

    async def ask() -> dict:
        async with Client(endpoint) as client:
            space = await client.get_namespace_index("urn:afrd:station")
            system = await client.nodes.objects.get_child(f"{space}:VisionSystem")
            found = {}
            for path in ("SystemState", "ActiveRecipe", "Results", *(f"Lights/{light}" for light in LIGHTS)):
                found[path] = await (await system.get_child([f"{space}:{k}" for k in path.split("/")])).read_value()
            return found

    try:
        return asyncio.run(ask())
    except OSError:
        return {}


def test_state_model_and_lights_are_told_before_the_first_part_and_after_an_activation(
    serve, artefact, parts, tmp_path
):
    endpoint = f"opc.tcp://127.0.0.1:{free_port()}/afrd/"
    station = start(serve, artefact, tmp_path, {"kind": "opcua", "name": "scada", "endpoint": endpoint})
    until(lambda: read(endpoint))
    found, model = read(endpoint), station.health()["model"]
    assert (found["SystemState"], found["ActiveRecipe"], found["Results"]) == ("Ready", model, [])
    assert {found[f"Lights/{light}"] for light in LIGHTS} == {"unknown"}
    shutil.copy(artefact, station.data / "models" / "second.onnx")
    assert station.client.post("/models", data={"name": "second.onnx"}).status_code == 303
    assert station.client.post("/models/2/activate").status_code == 303
    until(lambda: read(endpoint)["ActiveRecipe"].startswith("second@"))  # no part came since
    answers = [station.post(parts[k], f"part-{k}").json() for k in range(3)]
    until(lambda: len(read(endpoint)["Results"]) == 3)
    station.end()
    station = serve(tmp_path / "station.yaml")
    until(lambda: read(endpoint))
    answers.append(station.post(parts[3], "part-3").json())
    until(lambda: len(read(endpoint)["Results"]) == 4)
    found = read(endpoint)
    assert [json.loads(line) for line in found["Results"]] == answers
    assert found["ActiveRecipe"] == station.health()["model"] == answers[-1]["model"]


def test_a_line_that_does_not_judge_is_an_error():
    endpoint, state = f"opc.tcp://127.0.0.1:{free_port()}/afrd/", ["Ready"]
    config = OpcUaConfig(kind="opcua", name="scada", endpoint=endpoint)
    server = OpcUa(config, "cell-3", LIGHTS, lambda: (state[0], "m@1"))
    server.begin()
    assert read(endpoint)["SystemState"] == "Ready"
    state[0] = "Error"
    until(lambda: read(endpoint)["SystemState"] == "Error")
    server.close()

"""What a client of the OPC UA server reads of the lights' health."""

import asyncio

import pytest
from asyncua import Client

from afrd.fail_safe import light_faults_in_words
from afrd.rig.light_check import LightFault
from afrd.station.sinks.config import OpcUaConfig
from afrd.station.sinks.opcua import OpcUa
from station_process import free_port

LIGHTS = ("top", "top_left", "right")


@pytest.fixture(scope="module")
def health():
    """verdict, notes → light → what a client reads after an answer with them."""
    endpoint = f"opc.tcp://127.0.0.1:{free_port()}/afrd/"
    server = OpcUa(
        OpcUaConfig(kind="opcua", name="scada", endpoint=endpoint), "cell-3", LIGHTS, lambda: ("Ready", "m@1")
    )
    server.begin()

    async def read() -> dict[str, str]:
        async with Client(endpoint) as client:
            space = await client.get_namespace_index("urn:afrd:station")
            lights = await client.nodes.objects.get_child([f"{space}:VisionSystem", f"{space}:Lights"])
            return {light: await (await lights.get_child(f"{space}:{light}")).read_value() for light in LIGHTS}

    def shown(verdict: str, notes: tuple[str, ...]) -> dict[str, str]:
        empty = dict.fromkeys(("score", "threshold", "shown_by", "seconds", "model"))
        server.show({"id": "one", "verdict": verdict, "light_notes": list(notes), **empty})
        return asyncio.run(read())

    yield shown
    server.close()


@pytest.mark.parametrize(
    ("fault", "faulty"),
    [
        (LightFault(1, "dark"), {"top_left"}),
        (LightFault(0, "overexposed"), {"top"}),
        (LightFault(0, "shifted"), {"top"}),
        (LightFault(2, "unlike"), {"right"}),
        (LightFault(0, "unlike", 2), {"top", "right"}),
        (LightFault(1, "swapped", 2), {"top_left", "right"}),
    ],
)
def test_a_fault_is_told_of_its_lights_and_of_no_other(health, fault, faulty):
    notes = light_faults_in_words([fault], LIGHTS)
    found = health("light fault", (*notes, "rig: top is darker than in training"))
    assert found == {light: notes[0] if light in faulty else "good" for light in LIGHTS}


def test_of_a_capture_that_was_not_judged_nothing_is_known(health):
    assert set(health("good", ()).values()) == {"good"}
    assert set(health("not judged", ()).values()) == {"unknown"}

"""Real receivers: web server, OPC UA client, file. Each goes away; the line does not wait."""

import asyncio
import json
import threading

import pytest
import yaml

from receivers import SECRET, Receiver
from sinks import listens, start, unique, until
from station_process import free_port


def test_a_webhook_that_goes_away_gets_everything_after_in_order(serve, artefact, parts, tmp_path, monkeypatch):
    monkeypatch.setenv("MES_SECRET", SECRET)
    port = free_port()
    sink = {"kind": "webhook", "name": "mes", "url": f"http://127.0.0.1:{port}/parts", "secret_env": "MES_SECRET"}
    station = start(serve, artefact, tmp_path, sink)
    answers = [station.post(parts[k], f"away-{k}").json() for k in range(3)]  # nobody listens yet
    until(lambda: any("3 messages wait" in problem for problem in station.health()["problems"]))
    station.kill()  # and the station goes too
    receiver = Receiver(port)
    station = serve(tmp_path / "station.yaml")
    until(lambda: len(unique(receiver.messages)) == 3)
    receiver.ill = True
    answers += [station.post(parts[k], f"ill-{k}").json() for k in range(2)]
    until(lambda: station.health()["problems"] != [])
    receiver.ill = False
    until(lambda: len(unique(receiver.messages)) == 5)
    receiver.close()
    assert unique(receiver.messages) == ["away-0", "away-1", "away-2", "ill-0", "ill-1"]
    assert receiver.wrong == []
    sent = {message["id"]: message for message in receiver.messages}
    for answer in answers:
        assert {name: sent[answer["id"]][name] for name in answer} == answer
    until(lambda: station.health()["status"] == "ok")
    for text in (station.log.read_text(), (tmp_path / "station.yaml").read_text()):
        assert SECRET not in text


def test_the_answer_file_counts_and_is_never_half_written(serve, artefact, parts, tmp_path):
    station = start(serve, artefact, tmp_path, {"kind": "file", "name": "plc", "path": "plc/answer.json"})
    file = station.data / "plc/answer.json"
    until(file.exists)
    assert json.loads(file.read_text()) == {"count": 0, "id": "", "code": 0, "verdict": "not judged", "score": None}
    seen: list[dict] = []
    ending = threading.Event()

    def poll() -> None:
        while not ending.is_set():
            seen.append(json.loads(file.read_text()))

    poller = threading.Thread(target=poll)
    poller.start()
    for k in range(6):
        answer = station.post(parts[k], f"part-{k}").json()
        until(lambda k=k: seen[-1]["count"] == k + 1)
        assert (seen[-1]["id"], seen[-1]["verdict"], seen[-1]["score"]) == (
            answer["id"],
            answer["verdict"],
            answer["score"],
        )
    ending.set()
    poller.join()
    codes = {"good": 1, "review": 2, "anomalous": 3, "light fault": 4, "not judged": 0}
    assert all(each["code"] == codes[each["verdict"]] for each in seen)
    station.end()
    assert json.loads(file.read_text())["verdict"] == "not judged"


def test_an_opc_ua_client_reads_the_newest_answer_and_may_go_away(serve, artefact, parts, tmp_path):
    from asyncua import Client

    endpoint = f"opc.tcp://127.0.0.1:{free_port()}/afrd/"
    station = start(serve, artefact, tmp_path, {"kind": "opcua", "name": "scada", "endpoint": endpoint})

    async def read(count: int) -> dict:
        async with Client(endpoint) as client:
            space = await client.get_namespace_index("urn:afrd:station")
            system = await client.nodes.objects.get_child(f"{space}:VisionSystem")
            counter = await system.get_child([f"{space}:LatestResult", f"{space}:Count"])
            while await counter.read_value() < count:
                await asyncio.sleep(0.05)
            names = ["ResultId", "Verdict", "Score", "ShownBy"]
            found = {
                name: await (await system.get_child([f"{space}:LatestResult", f"{space}:{name}"])).read_value()
                for name in names
            }
            found["recipe"] = await (await system.get_child(f"{space}:ActiveRecipe")).read_value()
            results = await (await system.get_child(f"{space}:Results")).read_value()
            found["results"] = [json.loads(each) for each in results]
            found["top"] = await (await system.get_child([f"{space}:Lights", f"{space}:top"])).read_value()
            return found

    until(lambda: listens(int(endpoint.split(":")[2].split("/")[0])))
    answer = station.post(parts[0], "one").json()
    found = asyncio.run(read(1))
    assert found["ResultId"] == "one"
    assert (found["Verdict"], found["Score"], found["recipe"]) == (answer["verdict"], answer["score"], answer["model"])
    assert found["top"] == "good"
    station.post(parts[1], "nobody-is-there").raise_for_status()
    answer = station.post(parts[2], "three").json()
    found = asyncio.run(read(3))
    assert (found["ResultId"], found["ShownBy"]) == ("three", answer["shown_by"] or "")
    assert [each["id"] for each in found["results"]] == ["one", "nobody-is-there", "three"]
    assert found["results"][-1] == answer


def test_a_secret_that_is_not_set_ends_the_start(artefact, tmp_path, monkeypatch):
    from afrd.errors import StationError
    from afrd.station.config import load_station
    from afrd.station.service import Service

    monkeypatch.delenv("NOT_SET", raising=False)
    file = tmp_path / "station.yaml"
    sink = {"kind": "webhook", "name": "mes", "url": "http://127.0.0.1/", "secret_env": "NOT_SET"}
    file.write_text(yaml.safe_dump({"model": str(artefact), "sinks": [sink]}))
    with pytest.raises(StationError, match="NOT_SET is not set"):
        Service(load_station(file))

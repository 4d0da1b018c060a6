"""A real mosquitto that goes away and comes back: every answer once and in order, and a state that is true."""

import pytest

from receivers import MOSQUITTO, Broker, Subscriber
from sinks import start, unique, until
from station_process import free_port

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="no mosquitto on this machine")


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def sink(port) -> dict:
    place = {"host": "127.0.0.1", "port": port, "topic": "cell-3"}
    return {"kind": "mqtt", "name": "broker", "timeout_seconds": 20, **place}


def test_a_broker_that_goes_away_gets_everything_after_once_and_in_order(serve, artefact, parts, tmp_path, port, sink):
    broker = Broker(tmp_path / "broker", port)
    station = start(serve, artefact, tmp_path, sink)
    subscriber = Subscriber(port)
    until(lambda: subscriber.states == ["online"])  # before any part
    answers = [station.post(parts[k], f"first-{k}").json() for k in range(2)]
    until(lambda: len(unique(subscriber.results)) == 2)
    assert subscriber.states[-1] == "online"
    subscriber.close()
    broker.end()
    answers += [station.post(parts[k], f"away-{k}").json() for k in range(3)]
    until(lambda: any("sink broker: 3 messages wait" in problem for problem in station.health()["problems"]))
    assert station.health()["status"] == "degraded"
    broker = Broker(tmp_path / "broker", port)
    again = Subscriber(port)
    until(lambda: "away-2" in unique(again.results))
    answers.append(station.post(parts[3], "back").json())
    until(lambda: "back" in unique(again.results))
    assert [message["id"] for message in again.results] == ["away-0", "away-1", "away-2", "back"]
    assert again.states[-1] == "online"
    assert (station.health()["status"], station.health()["problems"]) == ("ok", [])
    arrived = {message["id"]: message for message in subscriber.results + again.results}
    for answer in answers:
        assert {name: arrived[answer["id"]][name] for name in answer} == answer
    station.kill()
    until(lambda: again.states[-1] == "offline")  # its last will
    again.close()
    broker.end()


def test_the_state_is_right_where_the_broker_was_away_between_two_parts(serve, artefact, parts, tmp_path, port, sink):
    """The library connects again by itself; the broker still has the last will of before."""
    broker = Broker(tmp_path / "broker", port)
    station = start(serve, artefact, tmp_path, sink)
    station.post(parts[0], "before").raise_for_status()
    subscriber = Subscriber(port)
    until(lambda: subscriber.states)
    broker.end()
    until(lambda: subscriber.states[-1] == "offline")
    subscriber.close()
    broker = Broker(tmp_path / "broker", port)
    until(broker.has_a_client)
    again = Subscriber(port)
    station.post(parts[1], "after").raise_for_status()
    until(lambda: again.results)
    assert ([message["id"] for message in again.results], again.states[-1]) == (["after"], "online")
    assert (station.health()["status"], station.health()["problems"]) == ("ok", [])
    again.close()
    broker.end()
    assert station.end() == 0  # without a broker that could be told
    assert "Traceback" not in station.log.read_text()

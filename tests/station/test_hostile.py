"""Whatever is sent, the line goes on: refused with a reason, logged, nothing written, the next part is judged."""

import socket
import time
from pathlib import Path

import httpx
import pytest
import yaml

from hostile import cases, png_bomb
from station_process import StationProcess


@pytest.fixture(scope="module")
def station(artefact, tmp_path_factory):
    """Takes 5 MB and 1 megapixel a light, within two seconds."""
    folder = tmp_path_factory.mktemp("hostile")
    limits = {"megabytes": 5, "megapixels": 1, "captures_per_second": 1000, "upload_seconds": 2}
    file = folder / "station.yaml"
    file.write_text(yaml.safe_dump({"model": str(artefact), "queue": 2, "limits": limits}))
    station = StationProcess(file, folder / "data")
    yield station
    station.kill()


def _everything(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*") if "station.sqlite" not in path.name}


def test_hostile_uploads_are_refused_and_the_line_goes_on(station, parts):
    station.post(parts[0], "before").raise_for_status()
    before = _everything(station.data)
    asked = list(cases(parts[0]))
    assert len(asked) >= 60
    wrong = []
    for name, request, expected in asked:
        answer = station.client.post("/api/captures", **request)
        if answer.status_code not in expected or not answer.json()["detail"]:
            wrong.append((name, answer.status_code, answer.text[:200]))
    assert wrong == []
    assert _everything(station.data) == before
    assert not Path("/tmp/escaped").exists()
    assert station.health()["queue"] == 0
    station.post(parts[1], "after").raise_for_status()
    listed = [each["id"] for each in station.client.get("/api/captures").json()]
    assert listed == ["after", "before"]
    assert "refused (422)" in station.log.read_text()


def test_the_message_names_the_light_and_what_is_wrong(station, parts):
    answer = station.post(parts[0] | {"top": b"text", "left": parts[0]["left"][:100]}).json()
    assert [each["loc"] for each in answer["detail"]] == [["body", "top"]]
    assert "not a PNG" in answer["detail"][0]["msg"]
    answer = station.post(parts[0] | {"right": png_bomb()})
    assert answer.status_code == 413
    assert "60000 × 60000" in answer.json()["detail"]
    assert "light right" in answer.json()["detail"]


def test_a_slow_client_is_cut_off_and_holds_no_place(station, parts):
    host, port = station.url.removeprefix("http://").split(":")
    slow = [socket.create_connection((host, int(port))) for _ in range(2)]
    for each in slow:
        head = "POST /api/captures HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        each.sendall((head + "Content-Length: 100000\r\n\r\n--b\r\n").encode())
    while station.health()["queue_size"] and station.post(parts[0]).status_code != 503:
        time.sleep(0.05)  # both places are held
    assert slow[0].recv(1000).startswith(b"HTTP/1.1 408")
    assert slow[1].recv(1000).startswith(b"HTTP/1.1 408")
    station.post(parts[1]).raise_for_status()


def test_a_client_that_goes_away_leaves_the_line_as_it_was(station, parts):
    host, port = station.url.removeprefix("http://").split(":")
    for _ in range(4):
        with socket.create_connection((host, int(port))) as gone:
            head = "POST /api/captures HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
            gone.sendall((head + "Content-Length: 100000\r\n\r\n--b\r\n").encode())
    deadline = time.monotonic() + 60
    while (answer := station.post(parts[1])).status_code == 503 and time.monotonic() < deadline:
        time.sleep(0.05)
    answer.raise_for_status()


def test_faster_than_allowed_is_429(artefact, serve, parts, tmp_path):
    file = tmp_path / "slow.yaml"
    file.write_text(yaml.safe_dump({"model": str(artefact), "limits": {"captures_per_second": 0.01}}))
    station = serve(file)
    assert station.post(parts[0]).status_code == 200
    answer = station.post(parts[1])
    assert answer.status_code == 429
    assert answer.headers["Retry-After"]


def test_a_full_queue_is_503_and_every_accepted_capture_is_answered(station, parts):
    from concurrent.futures import ThreadPoolExecutor

    def send(k: int) -> httpx.Response:
        return httpx.post(
            f"{station.url}/api/captures",
            files={light: ("x", content) for light, content in parts[k % len(parts)].items()},
            data={"id": f"load-{k}"},
            timeout=120,
        )

    with ThreadPoolExecutor(12) as clients:
        answers = list(clients.map(send, range(60)))
    statuses = {answer.status_code for answer in answers}
    assert statuses == {200, 503}
    for answer in answers:
        if answer.status_code == 503:
            assert int(answer.headers["Retry-After"]) >= 1
            assert "full" in answer.json()["detail"]
    answered = {a.json()["id"]: a.json() for a in answers if a.status_code == 200}
    listed = {each["id"]: each for each in station.client.get("/api/captures", params={"limit": 1000}).json()}
    assert {id for id in listed if id.startswith("load-")} == set(answered)
    for id, answer in answered.items():
        assert {name: listed[id][name] for name in answer} == answer
    assert station.health()["queue"] == 0

"""Who may use a station, what a foreign web site may not, and what the audit log says."""

import json
import socket
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import yaml

from afrd.errors import DatasetError
from afrd.station.access import Access, AccessRules, Token, User, hash_secret
from afrd.station.config import load_station
from station_process import StationProcess

PASSWORD, SECRET = "correct horse battery", "line-secret-4711"
RULES = {
    "users": [
        {"name": "ada", "role": "engineer", "hash": hash_secret(PASSWORD)},
        {"name": "otto", "role": "operator", "hash": hash_secret(PASSWORD)},
    ],
    "tokens": [{"name": "plc", "hash": hash_secret(SECRET)}],
}


@pytest.fixture(scope="module")
def guarded(artefact, tmp_path_factory):
    folder = tmp_path_factory.mktemp("guarded")
    file = folder / "station.yaml"
    file.write_text(yaml.safe_dump({"model": str(artefact), "access": RULES}))
    station = StationProcess(file, folder / "data", "--host", "0.0.0.0")
    yield station
    station.kill()


def signed_in(station: StationProcess, name: str) -> httpx.Client:
    """As a browser does: form, cookie, and the Origin header with every change."""
    client = httpx.Client(base_url=station.url, headers={"Origin": station.url}, timeout=60)
    while (answer := client.post("/login", data={"name": name, "password": PASSWORD})).status_code == 429:
        pass
    assert answer.status_code == 303
    return client


def test_nobody_passes_without_a_name(guarded, parts):
    assert guarded.post(parts[0]).status_code == 401
    assert guarded.client.get("/api/captures").status_code == 401
    assert guarded.client.get("/api/openapi.json").status_code == 401
    assert guarded.client.get("/audit.csv").status_code == 401
    asks_for_pages = guarded.client.post("/api/captures", headers={"Accept": "text/html, */*"}, follow_redirects=False)
    assert asks_for_pages.status_code == 401  # a program, whatever it accepts
    assert guarded.client.get("/healthz").status_code == 200
    page = guarded.client.get("/models", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["Location"]) == (303, "/login?to=/models")
    for wrong in ("Bearer plc:wrong", "Bearer ada:" + PASSWORD, "Bearer plc", "Basic eDp5", "Bearer", "x"):
        answer = guarded.client.get("/api/captures", headers={"Authorization": wrong})
        assert answer.status_code == 401, wrong
    forged = {"Cookie": "afrd-station=ImFkYSI.aaaaaa.bbbbbb"}
    assert guarded.client.get("/api/captures", headers=forged).status_code == 401


def test_a_flood_of_wrong_tokens_is_slowed_and_a_known_one_passes(guarded):
    known = {"Authorization": f"Bearer plc:{SECRET}"}
    while (answer := guarded.client.get("/api/captures", headers=known)).status_code == 429:
        pass
    assert answer.status_code == 200

    def ask(token: str) -> int:
        return httpx.get(
            f"{guarded.url}/api/captures", headers={"Authorization": f"Bearer {token}"}, timeout=120
        ).status_code

    with ThreadPoolExecutor(16) as pool:
        flood = [pool.submit(ask, f"plc:wrong-{k}") for k in range(48)]
        assert guarded.client.get("/api/captures", headers=known).status_code == 200
        assert {each.result() for each in flood} == {401, 429}


def test_a_wrong_token_is_checked_once():
    access, checked = Access(AccessRules.model_validate(RULES)), []
    check = access._check
    access._check = lambda *given: checked.append(given) or check(*given)
    assert [access.by_token("plc:old") for _ in range(3)] == [None] * 3 and len(checked) == 1
    assert access.by_token(f"plc:{SECRET}").name == "plc" and len(checked) == 2


@pytest.mark.parametrize("left", ["", "ab" * 31])
def test_half_a_session_key_ends_the_start(artefact, tmp_path, left):
    """Cookies signed with a key that anybody can guess would sign anybody in."""
    data = tmp_path / "data"
    first = StationProcess(artefact, data)
    first.end()
    key = data / "session.key"
    assert key.stat().st_mode & 0o077 == 0 and len(key.read_text()) == 64
    key.write_text(left)
    done = subprocess.run(
        [sys.executable, "-m", "afrd", "serve", str(artefact), "--data", str(data), "--port", "0"],
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0 and "session.key: is no key; remove it" in done.stderr


def test_a_token_sends_captures_and_reviews_under_its_name(guarded, parts):
    token = {"Authorization": f"Bearer plc:{SECRET}"}
    assert guarded.post(parts[0], "by-token", headers=token).status_code == 200
    answer = guarded.client.post("/api/captures/by-token/review", json={"label": "good"}, headers=token)
    assert answer.json()["by"] == "plc"
    assert guarded.client.post("/threshold", data={"threshold": "1", "reason": "x"}, headers=token).status_code == 403


def test_operators_review_and_engineers_change(guarded, parts):
    guarded.post(parts[2], "judged", headers={"Authorization": f"Bearer plc:{SECRET}"})
    operator, engineer = (signed_in(guarded, name) for name in ("otto", "ada"))
    assert operator.post("/parts/judged/review", data={"label": "good"}).status_code == 303
    change = {"threshold": "0.7", "reason": "trial"}
    assert operator.post("/threshold", data=change).status_code == 403
    for path in ("1/activate", "1/shadow", "1/compare", "shadow/end", "train", "grow"):
        assert operator.post(f"/models/{path}").status_code == 403, path
    assert operator.post("/models", data={"name": "x"}).status_code == 403
    assert engineer.post("/threshold", data=change).status_code == 303
    text = engineer.get("/models").text
    for words in ("ada, signed in", "ada, set threshold of", "because trial", "otto, reviewed judged"):
        assert words in text
    assert operator.post("/logout").status_code == 303
    assert operator.get("/api/captures").status_code == 401


def test_a_session_is_of_no_use_to_another_web_site(guarded, parts):
    client = signed_in(guarded, "ada")
    change = {"threshold": "0.5", "reason": "by another site"}
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site", "Origin": ""},
    ):
        assert client.post("/threshold", data=change, headers=headers).status_code == 403, headers
    del client.headers["Origin"]
    assert client.post("/threshold", data=change).status_code == 403
    assert client.post("/threshold", data=change, headers={"Sec-Fetch-Site": "same-site"}).status_code == 403
    cookie = guarded.client.post("/login", data={"name": "ada", "password": PASSWORD, "to": "//evil.example"})
    while cookie.status_code == 429:
        cookie = guarded.client.post("/login", data={"name": "ada", "password": PASSWORD, "to": "//evil.example"})
    guarded.client.cookies.clear()
    assert cookie.headers["Location"] == "/live"
    assert {"HttpOnly", "SameSite=strict"} <= set(cookie.headers["Set-Cookie"].split("; "))


def test_a_body_that_is_too_large_is_refused_before_it_is_kept(guarded):
    def chunks():
        for _ in range(40):
            yield b"name=" + b"x" * 10_000

    for body in (b"name=" + b"x" * 200_000, chunks()):
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        assert guarded.client.post("/login", content=body, headers=headers).status_code == 413
    token = {"Authorization": f"Bearer plc:{SECRET}", "Content-Type": "application/json"}
    answer = guarded.client.post("/api/captures/a/review", content=b" " * 200_000 + b"{}", headers=token)
    assert answer.status_code == 413


def test_guessing_is_slow_and_on_record(guarded):
    def guess(k: int) -> int:
        return httpx.post(
            f"{guarded.url}/login", data={"name": "ada", "password": f"guess {k}"}, timeout=300
        ).status_code

    with ThreadPoolExecutor(12) as guessers:
        assert set(guessers.map(guess, range(36))) == {401, 429}
    client = signed_in(guarded, "ada")
    assert "failed to sign in as ada" in client.get("/models").text


def test_secrets_are_in_no_log_and_no_database(guarded):
    signed_in(guarded, "ada")
    with sqlite3.connect(guarded.data / "station.sqlite") as database:
        dump = "\n".join(database.iterdump())
    for text in (dump, guarded.log.read_text()):
        assert PASSWORD not in text
        assert SECRET not in text
        assert "argon2" not in text
    assert (guarded.data / "session.key").stat().st_mode & 0o077 == 0


def test_only_this_machine_is_served_without_rules(artefact, serve, parts, tmp_path):
    command = [sys.executable, "-m", "afrd", "serve", str(artefact), "--data", str(tmp_path / "x"), "--host", "0.0.0.0"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "names nobody who may" in done.stderr
    station = serve(artefact)
    assert station.client.get("/live", headers={"Host": "evil.example"}).status_code == 421
    answer = station.client.get("/live", headers={"X-Forwarded-For": "192.0.2.7"})
    assert answer.status_code == 403 and "name who may under access" in answer.text
    assert station.post(parts[0], headers={"Origin": "https://evil.example"}).status_code == 403
    assert station.post(parts[0], headers={"Origin": station.url}).status_code == 200


def sent(station: StationProcess, *lines: str) -> tuple[int, str]:
    """The status and body of a request as it is written, which clients of HTTP do not let one write."""
    host, port = station.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1"))
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    head, _, body = answer.partition("\r\n\r\n")
    return int(head.split()[1]), body


NO_NAMES = ("x/healthz?", "127.0.0.1/healthz#", "x/static/", "ada@127.0.0.1", "[::1", "127.0.0.1:x", "a b", "\xbd")
ADDRESSES = ("http://127.0.0.1/healthz", "http://x/api/captures", "healthz", "*")


def test_a_poisoned_address_opens_nothing(guarded):
    """An URL made of such a header Host would have another path: one that is open to all, as /healthz."""
    for host in NO_NAMES:
        status, body = sent(guarded, "GET /api/captures HTTP/1.1", f"Host: {host}")
        assert status == 400 and json.loads(body)["detail"].startswith("the header Host is no name: "), host
    for target in ADDRESSES:
        status, body = sent(guarded, f"OPTIONS {target} HTTP/1.1", "Host: x")
        assert (status, json.loads(body)["detail"]) == (400, f"ask for a path, not for {target}")
    assert sent(guarded, "GET //x/healthz HTTP/1.1", "Host: x")[0] == 401
    assert sent(guarded, "GET /healthz HTTP/1.1", "Host: x", "Host: y")[0] == 400
    assert sent(guarded, "GET /healthz HTTP/1.1", "Host: station.example:8000")[0] == 200


def test_what_is_refused_for_its_address_is_in_the_log(artefact, serve):
    station = serve(artefact)
    change = ("POST /api/captures/a/review HTTP/1.1", "Host: 127.0.0.1", "Content-Length: 0")
    for status, words, *lines in (
        (421, "this station serves its own machine", "GET /live HTTP/1.1", "Host: evil.example"),
        (400, "the header Host is no name: 127.0.0.1/x", "GET /live HTTP/1.1", "Host: 127.0.0.1/x"),
        (400, "ask for a path, not for http://x/live", "GET http://x/live HTTP/1.1", "Host: 127.0.0.1"),
        (403, "another web site asked for this change", *change, "Origin: http://["),
    ):
        assert sent(station, *lines)[0] == status
        assert f"refused ({status}) from 127.0.0.1: {words}" in station.log.read_text()
    for host in ("localhost", "LOCALHOST:80", "127.0.0.1:8000", "[::1]", "[::1]:8000"):
        assert sent(station, "GET /api/captures HTTP/1.1", f"Host: {host}") == (200, "[]"), host
    for host in ("localhost.evil.example", "127.0.0.1.evil.example:80", "[::2]", "0.0.0.0", "."):
        assert sent(station, "GET /api/captures HTTP/1.1", f"Host: {host}")[0] == 421, host
    assert sent(station, "GET /api/captures HTTP/1.0")[0] == 421
    for origin in ("http://evil.example", "http://127.0.0.1@evil.example", "null", ""):
        assert sent(station, *change, f"Origin: {origin}")[0] == 403, origin
    assert "Traceback" not in station.log.read_text()


@pytest.mark.parametrize(
    ("access", "message"),
    [
        ("{}", "names nobody"),
        ("{users: [{name: a, hash: secret-word}]}", "never the secret itself"),
        ("{users: [{name: a, password: secret-word}]}", "hash: "),
        ("{users: [{name: a b, hash: secret-word}]}", "name"),
    ],
)
def test_wrong_rules_are_named_and_never_repeat_a_secret(tmp_path, access, message):
    file = tmp_path / "station.yaml"
    file.write_text(f"model: run\naccess: {access}\n")
    with pytest.raises(DatasetError, match=message) as error:
        load_station(file)
    assert "secret-word" not in str(error.value)


def test_a_name_is_used_once_and_a_removed_user_is_out():
    one = {"name": "a", "hash": hash_secret("x")}
    with pytest.raises(ValueError, match="used twice"):
        AccessRules(users=(User(**one),), tokens=(Token(**one),))
    access = Access(AccessRules(users=(User(**one),)))
    assert access.by_password("a", "x").role == "operator"
    assert access.by_password("a", "y") is None
    assert access.by_password("b", "x") is None
    assert access.by_name("b") is None

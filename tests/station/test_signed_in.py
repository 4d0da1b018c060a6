"""A guarded station in a real browser: signing in, what an operator may not, errors, the end of a session."""

import pytest
import yaml

from afrd.station.access import hash_secret
from browser import PHONE, TABLET, needs_browser, serious_faults, tab
from station_process import StationProcess

pytestmark = needs_browser
PASSWORD, SECRET = "correct horse battery", "line-secret-4711"
TOKEN = {"Authorization": f"Bearer plc:{SECRET}"}


@pytest.fixture(scope="module")
def guarded(artefact, parts, tmp_path_factory):
    """Has judged a part, and tells a problem: an image that fits no light."""
    folder = tmp_path_factory.mktemp("signed-in")
    file = folder / "station.yaml"
    user = {"name": "otto", "role": "operator", "hash": hash_secret(PASSWORD)}
    access = {"users": [user], "tokens": [{"name": "plc", "hash": hash_secret(SECRET)}]}
    drop = {"kind": "folder", "name": "drop", "path": "drop", "pattern": "{id}/{light}.*"}
    file.write_text(yaml.safe_dump({"model": str(artefact), "access": access, "sources": [drop]}))
    station = StationProcess(file, folder / "data")
    station.post(parts[2], "part-2", headers=TOKEN).raise_for_status()
    (folder / "data" / "drop" / "no-such-light.png").write_bytes(b"x")
    yield station
    station.kill()


@pytest.fixture
def operator(chromium, guarded):
    """A tab in which an operator has signed in."""
    page = tab(chromium, guarded.url, viewport=TABLET)
    sign_in(page)
    yield page
    page.context.close()


def sign_in(page) -> None:
    """By the form, on Live; again while attempts come too fast."""
    while True:
        page.goto("/live")
        page.fill("input[name=name]", "otto")
        page.fill("input[name=password]", PASSWORD)
        page.click("main button")
        if page.url.endswith("/live"):
            return


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [TABLET, PHONE], ids=["panel", "phone"])
def test_signed_in_pages_are_accessible_with_a_problem_on_them(chromium, guarded, size, scheme):
    page = tab(chromium, guarded.url, viewport=size, color_scheme=scheme)
    page.goto("/login?ended=1")
    assert serious_faults(page) == []
    sign_in(page)
    for name in ("live", "threshold", "models", "parts/no-such-part", "no-such-page"):
        page.goto(f"/{name}")
        page.wait_for_selector(".problem:has-text('source drop')")
        assert "otto, operator" in page.inner_text("header")
        assert serious_faults(page) == [], name
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{name} is too wide"
    page.context.close()


def test_who_may_not_and_what_is_wrong_is_told_in_a_sentence(operator, guarded):
    operator.goto("/models")
    operator.click("text=Ask about reviewed parts")
    operator.wait_for_selector("h1:text-is('Not done')")
    assert operator.inner_text("main p") == "otto is operator; this takes engineer"
    for path, words in (("threshold?at=x", "at: Input should be"), ("history?day=x", "expected a day as")):
        operator.goto(f"/{path}")
        assert words in operator.inner_text("main p")
        assert operator.locator("nav a").count() == 6
    log = guarded.log.read_text()
    for line in (
        "(403) from 127.0.0.1: otto is operator",
        "(422) from 127.0.0.1: at: ",
        "(422) from 127.0.0.1: Invalid",
    ):
        assert f"refused {line}" in log


def test_programs_are_answered_in_json(guarded):
    def chunks():
        for _ in range(40):
            yield b" " * 10_000

    for path, content, status in (("none", None, 404), ("captures/part-2/review", chunks(), 413)):
        method = "POST" if content else "GET"
        headers = TOKEN | {"Content-Type": "application/json"}
        answer = guarded.client.request(method, f"/api/{path}", content=content, headers=headers)
        assert answer.status_code == status and answer.json()["detail"]
    assert "refused (413) from 127.0.0.1: more than 0.1 MB" in guarded.log.read_text()


def test_the_end_of_a_session_hides_the_verdict_and_loses_no_change_silently(operator):
    operator.goto("/parts/part-2")
    operator.context.clear_cookies()
    operator.click("main form button:text-is('Good')")
    operator.wait_for_selector("text=what you asked for was not done")
    sign_in(operator)
    operator.wait_for_selector("#live .banner")
    operator.context.clear_cookies()
    operator.wait_for_selector("text=signed out")
    assert not operator.is_visible("#live")
    operator.click("text=Load the page again")
    operator.wait_for_selector("input[name=password]")

"""The pages in a real browser: what people see and do on a station, on a panel and a phone, light and dark."""

import io
import os
import zipfile
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from afrd.datasets import open_dataset
from browser import PHONE, TABLET, needs_browser, serious_faults, tab
from captures import make_capture
from station_process import StationProcess, uploads

pytestmark = needs_browser
PAGES = ("live", "history", "review", "threshold", "models", "models/1", "rig", "parts/part-2")
CHARTS = {"threshold": 1, "rig": 5}  # at least: the histogram; a quantity of all lights and of each, and the scores
SHOTS = os.environ.get("AFRD_SCREENSHOTS")  # a folder: python -m pytest tests/station/test_pages.py makes them anew


@pytest.fixture(scope="module")
def station(artefact, tmp_path_factory):
    """Has judged 36 captures, every third with a defect; those above half the threshold are for review."""
    folder = tmp_path_factory.mktemp("pages")
    file = folder / "station.yaml"
    training = str(artefact.parent / "data")
    settings = {"station": "cell-3", "model": str(artefact), "review": 0.5, "training": training}
    file.write_text(yaml.safe_dump(settings))
    station = StationProcess(file, folder / "data")
    rng = np.random.default_rng(5)
    for k in range(36):
        station.post(uploads(make_capture(rng, 3, 64, k % 3 == 2)[0], ("left", "right", "top")), f"part-{k}")
    yield station
    station.kill()


@pytest.fixture
def page(chromium, station):
    """A fresh tab; an error in a script of the page fails the test."""
    page = tab(chromium, station.url, viewport=TABLET)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    yield page
    page.context.close()
    assert errors == []


def test_every_page_is_accessible_and_fits_panel_and_phone_light_and_dark(chromium, station):
    for size, scheme in product((TABLET, PHONE), ("light", "dark")):
        page = tab(chromium, station.url, viewport=size, color_scheme=scheme)
        for name in PAGES:
            page.goto(f"/{name}")
            page.wait_for_load_state("networkidle") if name != "live" else page.wait_for_selector(".big")
            assert serious_faults(page) == [], name
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{name} is too wide"
            if name in CHARTS:
                assert page.locator("svg.chart").count() >= CHARTS[name], name
            if name == "models/1":
                assert page.locator("td:text-is('left, right, top')").count() == 1
            if SHOTS and (size, scheme) in ((TABLET, "light"), (PHONE, "dark")):
                kind = "phone-dark" if size is PHONE else "panel"
                page.screenshot(path=Path(SHOTS) / f"station-{name.replace('/', '-')}-{kind}.png")
        page.context.close()


def test_live_shows_the_next_part_by_itself_and_keys_switch_lights(page, station, parts):
    page.goto("/live")
    page.wait_for_selector("#live")
    station.post(parts[2], "just-now")
    page.wait_for_selector("text=just-now")
    verdict = station.client.get("/api/captures/just-now").json()["verdict"]
    assert page.inner_text(".big") == verdict
    page.keyboard.press("3")
    assert page.get_attribute("[data-picture]", "src") == "/api/captures/just-now/lights/top.png"
    assert page.locator("[data-light]").nth(2).get_attribute("aria-pressed") == "true"
    page.hover("[data-light] >> nth=1")
    assert page.get_attribute("[data-picture]", "src") == "/api/captures/just-now/lights/right.png"
    assert page.evaluate("document.querySelector('[data-picture]').decode().then(() => true)")


def test_history_filters_and_leads_to_the_part(page, station):
    page.goto("/history")
    page.select_option("select[name=verdict]", "anomalous")
    page.click("form.filter button")
    page.wait_for_url("**/history?verdict=anomalous*")
    shown = page.locator(".tiles li")
    expected = station.client.get("/api/captures", params={"verdict": "anomalous", "limit": 48}).json()
    assert shown.count() == len(expected) > 0
    page.click(f"text={expected[0]['id']}")
    page.wait_for_url(f"**/parts/{expected[0]['id']}")
    assert expected[0]["id"] in page.inner_text("h1")
    assert page.locator(".grid img[data-map]").count() == 3


def test_history_filters_by_a_span_of_days_and_of_scores(page, station):
    records = station.client.get("/api/captures", params={"limit": 1000}).json()
    scores = sorted(record["score"] for record in records)
    low, high = scores[2], scores[8]
    page.goto("/history")
    page.fill("input[name=day]", "2020-01-01")
    page.fill("input[name=last_day]", "2199-12-31")
    page.fill("input[name=score_from]", repr(low))
    page.fill("input[name=score_to]", repr(high))
    page.click("form.filter button")
    page.wait_for_url("**/history?*score_to=*")
    assert page.input_value("input[name=last_day]") == "2199-12-31"
    shown = {words.strip() for words in page.locator(".tiles a").all_inner_texts()}
    assert shown == {record["id"] for record in records if low <= record["score"] <= high} and len(shown) >= 7
    lines = station.client.get(page.get_attribute("text=CSV", "href")).text.splitlines()
    assert len(lines) == len(shown) + 1
    page.fill("input[name=last_day]", "2020-01-02")
    page.click("form.filter button")
    page.wait_for_selector("text=No part fits")


def test_all_lights_zoom_in_step_and_the_map_fades(page):
    page.goto("/parts/part-2")
    page.click("text=Closer")
    transforms = page.eval_on_selector_all(
        ".grid .stage img", "all => all.map(each => getComputedStyle(each).transform)"
    )
    assert set(transforms) == {"matrix(1.5, 0, 0, 1.5, 0, 0)"}
    page.fill(".viewer [data-opacity]", "25")
    assert page.eval_on_selector(".viewer .map", "each => getComputedStyle(each).opacity") == "0.25"
    page.click("text=Whole part")
    assert "matrix(1, 0, 0, 1, 0, 0)" in page.eval_on_selector(".grid img", "each => getComputedStyle(each).transform")


def test_keys_zoom_and_move_all_lights_in_step(page):
    page.goto("/parts/part-2")
    pictures = page.locator(".grid .stage img")

    def transforms() -> set[str]:
        return set(pictures.evaluate_all("all => all.map(each => getComputedStyle(each).transform)"))

    page.keyboard.press("ArrowDown")  # scrolls, as long as nothing is zoomed
    assert transforms() == {"matrix(1, 0, 0, 1, 0, 0)"}
    page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    assert transforms() == {"matrix(1.5, 0, 0, 1.5, -40, 0)"}
    page.focus(".grid [data-opacity]")
    page.keyboard.press("ArrowRight")  # is the slider's
    assert page.input_value(".grid [data-opacity]") == "1"
    page.keyboard.press("0")
    assert transforms() == {"matrix(1, 0, 0, 1, 0, 0)"}
    page.focus(".grid")
    page.keyboard.press("+")
    page.keyboard.press("ArrowUp")
    assert transforms() == {"matrix(1.5, 0, 0, 1.5, 0, 40)"}
    assert page.eval_on_selector(".viewer.large", "each => each.dataset.zoomed") == "1.5"  # by the first key alone


def test_a_part_is_shown_beside_the_good_parts_that_look_most_like_it(page, station):
    station.client.post("/api/captures/part-0/review", json={"label": "good"})
    page.goto("/parts/part-3")
    page.wait_for_selector("text=of the training")
    pictures = page.locator(".tiles img")
    assert pictures.count() == 4
    loaded = "all => Promise.all(all.map(each => each.decode().then(() => each.naturalWidth)))"
    assert page.eval_on_selector_all(".tiles img", loaded) == [64] * 4
    assert station.client.get("/training/..%2Fstation.sqlite").status_code == 404
    assert station.client.get("/training/session.key").status_code == 404


def test_review_by_keys_with_a_brushed_mask(page, station):
    page.goto("/review")
    first = page.inner_text("form[data-review] a")
    with page.expect_navigation():
        page.keyboard.press("s")
    second = page.inner_text("form[data-review] a")
    assert second != first
    with page.expect_navigation():
        page.keyboard.press("g")
    third = page.inner_text("form[data-review] a")

    page.keyboard.press("b")
    box = page.locator("[data-brushed] canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.5, steps=10)
    page.mouse.up()
    page.fill("form[data-review] input[name=defect_type]", "scratch")
    page.locator("[data-brushed] figure").focus()
    with page.expect_navigation():
        page.keyboard.press("d")

    records = [station.client.get(f"/api/captures/{id}").json() for id in (first, second, third)]
    assert [record["label"] for record in records] == [None, "good", "defect"]
    assert records[2]["reviews"][0]["defect_type"] == "scratch"
    page.goto(f"/parts/{third}")
    mask = page.request.get(page.get_attribute("text=a mask", "href")).body()
    painted = np.asarray(Image.open(io.BytesIO(mask))) > 0
    assert painted.shape == (64, 64)
    rows, columns = np.nonzero(painted)
    assert abs(rows.mean() - 32) < 3
    assert columns.min() < 28 < 36 < columns.max()


def test_a_threshold_is_set_by_a_person_only_and_counts_from_the_next_part(page, station, parts):
    page.goto("/threshold")
    own = station.post(parts[0]).json()["threshold"]
    page.fill("input[name=at]", f"{own * 10:g}")
    page.click("button:text-is('Compare')")
    page.wait_for_selector("text=stopped, would pass")
    page.fill("input[name=reason]", "too many false rejects today")
    page.click("text=from now on")
    page.wait_for_selector("text=because too many false rejects today")
    answer = station.post(parts[0]).json()
    assert answer["threshold"] == pytest.approx(10 * own, rel=1e-5)
    page.click("text=Back to the model's own")
    page.wait_for_selector("text=because back to the model's own")
    assert station.post(parts[0]).json()["threshold"] == pytest.approx(own)


def test_another_model_is_activated_and_rolled_back_in_one_click(page, station, artefact, parts):
    import shutil

    name = station.health()["model"]
    folder = station.data / "models"
    shutil.copy(artefact, folder / "newer.onnx")
    page.goto("/models")
    page.click("button:text-is('Add')")
    page.click("tr:has-text('newer@') button")
    page.wait_for_selector("tr.active:has-text('newer@')")
    assert station.health()["model"].startswith("newer@")
    assert station.post(parts[0]).json()["model"].startswith("newer@")
    page.click(f"text=Roll back to {name}")
    page.wait_for_selector(f"tr.active:has-text('{name}')")
    assert station.health()["model"] == name
    assert station.post(parts[0]).json()["model"] == name
    (folder / "broken.onnx").write_bytes(b"nothing")
    answer = page.request.post("/models", form={"name": "broken.onnx"})
    assert answer.status == 422
    assert "damaged" in answer.text()
    assert page.request.post("/models", form={"name": "../../etc"}).status == 422


def test_reviewed_parts_leave_as_a_folder_that_can_be_trained_on(page, station, tmp_path):
    for k in range(12):
        station.client.post(f"/api/captures/part-{3 * k}/review", json={"label": "good"})
        station.client.post(f"/api/captures/part-{3 * k + 2}/review", json={"label": "defect", "defect_type": "dent"})
    assert station.client.get("/history/export.zip").status_code == 200  # and then another may be packed
    with zipfile.ZipFile(io.BytesIO(station.client.get("/history/export.zip").content)) as archive:
        archive.extractall(tmp_path)
    train, test = (open_dataset(tmp_path, None, split) for split in ("train", "test"))
    assert train.lights.names == ("left", "right", "top")
    good = [
        record["id"] for record in station.client.get("/api/captures?limit=1000").json() if record["label"] == "good"
    ]
    assert {capture.id.removeprefix("good-") for capture in (*train, *test) if not capture.anomalous} == set(good)
    assert {"dent"} <= {capture.defects[0] for capture in test if capture.anomalous}
    csv = station.client.get("/history/export.csv?label=good").text.splitlines()
    assert len(csv) == len(good) + 1
    from pyarrow import parquet

    table = parquet.read_table(io.BytesIO(station.client.get("/history/export.parquet?label=good").content))
    assert table["id"].to_pylist() == [line.split(",")[0] for line in csv[1:]]


def test_an_empty_station_says_what_to_do(artefact, serve, chromium):
    station = serve(artefact)
    page = tab(chromium, station.url)
    for name, words in (
        ("live", "curl"),
        ("history", "once the line has judged one"),
        ("review", "Nothing waits"),
        ("threshold", "judged no part yet"),
        ("models", "nothing new in that folder"),
        ("rig", "No capture has been judged"),
    ):
        page.goto(f"/{name}")
        assert words in page.inner_text("main"), name
        assert serious_faults(page) == [], name
    dark = make_capture(np.random.default_rng(6), 3, 64)[0]
    dark[0] = 0
    assert station.post(uploads(dark, ("left", "right", "top"))).json()["verdict"] == "light fault"
    page.goto("/rig")  # shows its charts also where no part has a score yet
    assert page.locator("svg.chart").count() >= 4
    page.context.close()

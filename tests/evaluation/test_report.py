"""The report as a reader gets it: one file, right numbers, nothing executable from data; and in a real browser."""

import dataclasses
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest

from afrd.capture import LightRig
from afrd.errors import DatasetError
from afrd.evaluation.evaluate import evaluate
from afrd.evaluation.parts import part_metrics
from afrd.evaluation.report import rating, write_report

EVIL = '<img src=x onerror="alert(1)">"\'&'


class Page(HTMLParser):
    """Tags with their attributes, and the text that a reader sees."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text, self._hidden = [], "", None
        self.feed(html)
        self.text = re.sub(r"\s+", " ", self.text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._hidden = tag if tag in ("script", "style") else self._hidden

    def handle_endtag(self, tag):
        self._hidden = None if tag == self._hidden else self._hidden

    def handle_data(self, data):
        self.text += "" if self._hidden else data


def report(path, evaluation, captures, **options):
    write_report(path, evaluation, captures, **options)
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def html(domes, dome_evaluation, tmp_path_factory):
    return report(tmp_path_factory.mktemp("report") / "report.html", dome_evaluation, domes[1])


@pytest.fixture(scope="module")
def of_views(dome_evaluation):
    """Every good part twice, its second view an alarm; a bad part from one view."""
    captures = [
        dataclasses.replace(result, verdict=bool(result.anomalous or i % 8 == 4))
        for i, result in enumerate(dome_evaluation.captures)
    ]
    groups = [f"good {i // 8}" if i % 4 == 0 else f"bad {i}" for i in range(len(captures))]
    labels, views = [r.anomalous for r in captures], [(r.id, r.answer, r.score) for r in captures]
    promise = {"false_alarm_rate": 0.05, "false_alarm_bound": 0.1, "holdout_parts": 60, "tail": "rank"}
    parts = part_metrics(groups, labels, views, resamples=20)
    return dataclasses.replace(
        dome_evaluation, captures=tuple(captures), parts=parts, config=dome_evaluation.config | promise
    )


def test_verdicts_on_parts_are_shown_and_held_against_the_promise(of_views, domes, tmp_path):
    """3 alarms in 6 good captures may be chance where one in ten is allowed; 3 in 3 parts are not."""
    text = Page(report(tmp_path / "report.html", of_views, domes[1])).text
    assert "18 of 18 defective parts found, 3 false alarms on 3 good ones" in text
    assert "3 of 3 are more than that allows" in text
    assert f"I-AUROC of parts {of_views.parts.auroc.value:.3f}" in text
    assert re.search(r"Good parts ?3 false alarms ?0 passed", text)
    assert re.search(r"Good views ?3 false alarms ?3 passed", text)


def test_needs_nothing_beside_it(html):
    page = re.sub(r'xmlns(:\w+)?="[^"]*"|data:image/jpeg;base64,[\w+/=]+', "", html)
    assert not re.search(r"https?:|//[\w.]+/|@import|url\((?!#)", page)
    for tag, attributes in Page(html).tags:
        for name in ("src", "href", "xlink:href", "srcset", "action"):
            if name in attributes:
                assert attributes[name].startswith(("#", "data:")), (tag, attributes)


def test_links_and_ids_fit(html):
    tags = Page(html).tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = {attributes["href"][1:] for _, attributes in tags if attributes.get("href", "").startswith("#")}
    assert links and links <= set(ids)
    assert set(re.findall(r"url\(#([^)]*)\)", html)) <= set(ids)


def test_numbers_are_those_of_the_evaluation(html, dome_evaluation):
    text = Page(html).text
    counts = dome_evaluation.confusion
    assert f"{counts['found']} of 18 defective parts found" in text
    for value, (low, high) in (
        (dome_evaluation.image_auroc, dome_evaluation.image_auroc_ci),
        (dome_evaluation.pixel_auroc, dome_evaluation.pixel_auroc_ci),
        (dome_evaluation.au_pro, dome_evaluation.au_pro_ci),
    ):
        assert f"{value:.3f} 95 % interval {low:.3f} to {high:.3f}" in text
    for metrics in dome_evaluation.per_defect.values():
        assert f"{metrics.au_pro.value:.3f} {metrics.au_pro.low:.3f} to {metrics.au_pro.high:.3f}" in text
    for row in dome_evaluation.captures:
        assert f"{row.id} {', '.join(row.defects) or 'good'} {row.score:.4g}" in text
    assert "model: distance to mean" in text


def test_shows_lights_mask_map_and_overlay_of_the_right_captures(html, dome_evaluation):
    tags = Page(html).tags
    pictures = [attributes for tag, attributes in tags if tag == "img"]
    shown = [int(a["id"].split("-")[1]) for tag, a in tags if tag == "article"]
    assert len(pictures) == 9 * len(shown)
    assert all(picture["alt"] for picture in pictures)
    rows = dome_evaluation.captures
    alarms = sorted((i for i, r in enumerate(rows) if r.outcome == "false alarm"), key=lambda i: -rows[i].score)
    misses = sorted((i for i, r in enumerate(rows) if r.outcome == "miss"), key=lambda i: rows[i].score)
    found = sorted((i for i, r in enumerate(rows) if r.outcome == "found"), key=lambda i: -rows[i].score)
    assert [i for i in shown if i in alarms] == alarms[:6]
    assert [i for i in shown if i in misses] == misses[:6]
    assert [i for i in shown if i in found] == found[:6]


def test_data_cannot_become_markup(domes, lit, tmp_path):
    inspector, captures = domes
    rig = LightRig((EVIL, *lit.rig.names[1:]))
    evil = lit.capture_list(
        (
            dataclasses.replace(
                c,
                id=c.id + EVIL,
                lights=rig,
                defects=tuple(d + EVIL for d in c.defects),
                defect_masks={d + EVIL: m for d, m in c.defect_masks.items()},
            )
            for c in captures
        ),
        category=EVIL,
    )
    evaluation = dataclasses.replace(evaluate(inspector, evil, resamples=20), config={EVIL: EVIL})
    page = Page(report(tmp_path / "report.html", evaluation, evil, title="</title><script>alert(1)</script>"))
    assert not [attributes for _, attributes in page.tags if "onerror" in attributes]
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert "000" + EVIL in page.text


def test_undefined_metrics_say_why(domes, lit, tmp_path):
    inspector, captures = domes
    good = lit.capture_list(c for c in captures if not c.anomalous)
    text = Page(report(tmp_path / "report.html", evaluate(inspector, good), good)).text
    assert "undefined: no defective capture" in text
    assert "defective parts found" not in text
    assert "on 6 good ones" in text


def test_large_captures_under_many_lights_make_a_file_of_reasonable_size(lit, tmp_path):
    rng = np.random.default_rng(0)
    rig = LightRig(tuple(f"light {i}" for i in range(16)))
    captures = [lit.capture(rng, f"{i}", ("bumps",) if i > 4 else (), size=320) for i in range(12)]
    many = [dataclasses.replace(c, images=c.images[np.arange(16) % 6], lights=rig) for c in captures]
    inspector = lit.detector(many[:3], many[:1])
    split = lit.capture_list(many[3:])
    path = tmp_path / "report.html"
    write_report(path, evaluate(inspector, split, resamples=20), split)
    assert path.stat().st_size < 10e6


def test_other_captures_than_those_evaluated_are_refused(domes, dome_evaluation, lit, tmp_path):
    captures = domes[1]
    with pytest.raises(DatasetError, match="23 captures for an evaluation of 24"):
        write_report(tmp_path / "report.html", dome_evaluation, lit.capture_list(captures[:-1]))
    with pytest.raises(DatasetError, match="was evaluated there"):
        write_report(tmp_path / "report.html", dome_evaluation, lit.capture_list(captures[::-1]))
    assert not list(tmp_path.iterdir())


def test_rating_does_not_praise_what_may_be_guessing(domes, dome_evaluation):
    def rated(value, low, high):
        estimate = dataclasses.replace(dome_evaluation.metrics.image_auroc, value=value, low=low, high=high)
        metrics = dataclasses.replace(dome_evaluation.metrics, image_auroc=estimate)
        return rating(dataclasses.replace(dome_evaluation, metrics=metrics))

    assert "not shown to be better than guessing" in rated(0.8, 0.49, 0.95)
    assert "almost perfectly" in rated(0.995, 0.99, 1.0)
    assert "barely" in rated(0.6, 0.55, 0.7)


def browse(path, folder):
    """Load a page in headless Chromium; its document after the scripts ran, and what they said on the console."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium on PATH")
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    flags += " --disable-component-update --disable-sync --enable-logging=stderr --v=0 --dump-dom"
    command = [browser, *flags.split(), f"--user-data-dir={folder / 'profile'}", path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout, re.findall(r".*CONSOLE.*", done.stderr)


def test_table_sorts_and_filters_in_a_browser(html, dome_evaluation, tmp_path):
    page = tmp_path / "report.html"
    clicks = """
      console.log("console is heard");
      const shown = "#all tbody tr:not([hidden]) th";
      const ids = () => [...document.querySelectorAll(shown)].map(th => th.textContent).join();
      const said = [ids()];
      const heads = document.querySelectorAll("#all thead button");
      heads[2].click(); said.push(ids());
      heads[0].click(); said.push(ids());
      const form = document.querySelector(".filters");
      form.elements.outcome.value = "found";
      form.elements.defect.selectedIndex = 1;
      form.dispatchEvent(new Event("change")); said.push(ids());
      document.body.dataset.said = said.join("|");
    """
    page.write_text(html.replace("</body>", f"<script>{clicks}</script></body>"), encoding="utf-8")
    document, console = browse(page, tmp_path)
    assert len(console) == 1 and "console is heard" in console[0]
    assert '<form class="filters" hidden' not in document
    highest, lowest, by_id, filtered = re.search(r'data-said="([^"]*)"', document).group(1).split("|")
    rows = sorted(dome_evaluation.captures, key=lambda row: row.score)
    assert lowest.split(",") == [row.id for row in rows]
    assert highest.split(",") == [row.id for row in reversed(rows)]
    assert by_id.split(",") == sorted(row.id for row in rows)
    expected = sorted(row.id for row in rows if row.outcome == "found" and "bumps" in row.defects)
    assert filtered.split(",") == expected


def test_weights_of_lights_are_shown(domes, dome_evaluation, tmp_path):
    weights = [1, 0.5, 1, 1, 1, 0]
    config = {**dome_evaluation.config, "lights": {"names": dome_evaluation.lights, "weights": weights}}
    weighed = dataclasses.replace(dome_evaluation, config=config)
    text = Page(report(tmp_path / "report.html", weighed, domes[1], n_examples=1)).text
    assert "Weights of the lights" in text
    assert "all spots 1, bottom 0.5" in text

"""Which jobs a suite means, and every mistake in it found before anything runs."""

import re
from pathlib import Path

import pytest

from afrd.comparison.job import Job
from afrd.comparison.methods import METHODS, get_method
from afrd.comparison.suite import SUITES, Run, Suite, jobs_of, load_suite, narrowed
from afrd.errors import ModelError, RunError


def suite(*runs, classes=()):
    return Suite(classes=classes, runs=tuple(Run(**run) for run in runs))


def test_a_method_is_run_under_every_policy_it_can_take():
    jobs = jobs_of(suite({"methods": ("rd", "padim", "mean")}), ["A"], 3)
    assert [job.light for job in jobs if job.method == "rd"] == ["0", "1", "2"]
    assert [job.light for job in jobs if job.method == "padim"] == ["0", "1", "2", "mean-image"]
    assert [job.light for job in jobs if job.method == "mean"] == ["all"]


def test_late_fusion_brings_the_jobs_whose_maps_it_needs_once_and_first():
    jobs = jobs_of(suite({"methods": ("late-max", "late-mean", "rd"), "seeds": (4,)}), ["A"], 2)
    assert jobs == [
        Job("A", "rd", "0", 4),
        Job("A", "rd", "1", 4),
        Job("A", "late-max", "all", 4),
        Job("A", "late-mean", "all", 4),
    ]


def test_all_classes_get_their_first_seed_before_any_gets_a_second():
    jobs = jobs_of(suite({"methods": ("mean",), "seeds": (0, 1)}), ["B", "A"], 6)
    assert [(job.seed, job.category) for job in jobs] == [(0, "B"), (0, "A"), (1, "B"), (1, "A")]


def test_a_yaml_file_says_classes_methods_lights_and_seeds(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "classes: [A]\nruns:\n  - {methods: [rd, padim], lights: [1, mean-image], seeds: [7]}\n  - {methods: [mean]}\n"
    )
    assert set(jobs_of(load_suite(str(path)), ["A", "B"], 6)) == {
        Job("A", "rd", "1", 7),
        Job("A", "padim", "1", 7),
        Job("A", "padim", "mean-image", 7),
        Job("A", "mean", "all", 0),
    }


def test_options_narrow_a_named_suite():
    chosen = narrowed(load_suite("table2"), ["A"], ["rd"], ["5"], [1, 2])
    assert jobs_of(chosen, ["A", "B"], 6) == [Job("A", "rd", "5", 1), Job("A", "rd", "5", 2)]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: load_suite("table9"), r"suite 'table9': unknown; choose table1, table2, table3, all"),
        (lambda: load_suite("missing.yaml"), "name a YAML file that is there"),
        (lambda: jobs_of(suite({"methods": ("mean",)}, classes=("C",)), ["A", "B"], 6), r"class 'C': .* has A, B"),
        (lambda: jobs_of(suite({"methods": ("mena",)}), ["A"], 6), r"method 'mena': unknown; choose from rd, mean"),
        (lambda: jobs_of(suite({"methods": ("rd",), "lights": (6,)}), ["A"], 6), r"light '6': .* numbered 0 to 5"),
        (lambda: jobs_of(suite({"methods": ("rd",), "lights": ("top",)}), ["A"], 6), r"light 'top': unknown"),
    ],
)
def test_mistakes_are_named(build, message):
    with pytest.raises((RunError, ModelError), match=message):
        build()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("runs: []", r"runs: .*at least 1"),
        ("runs:\n  - {methods: [mean], epochs: 3}", r"runs\.0\.epochs: Extra inputs"),
        ("runs:\n  - {methods: []}", r"runs\.0\.methods"),
        ("- mean", "expected a mapping"),
    ],
)
def test_a_yaml_file_that_says_something_else_is_named(tmp_path, text, message):
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(RunError, match=rf"wrong\.yaml: .*{message}|wrong\.yaml: {message}"):
        load_suite(str(path))


@pytest.mark.parametrize("name", METHODS)
def test_every_method_of_the_registry_is_there(name):
    assert callable(get_method(name).load())


def test_all_leaves_out_what_is_asked_for_by_name():
    docs = (Path(__file__).parents[2] / "docs" / "benchmark.md").read_text()
    table = docs.partition("\n## Methods")[2].partition("None of the last seven rows is in a\nsuite")[0]
    rows = [re.findall(r"`([\w-]+)`", line.split("|")[1]) for line in table.splitlines() if line.startswith("| `")]
    named = {name for row in rows[-7:] for name in row}
    assert set(SUITES["all"]) == set(METHODS) - named - {"auto", "anomalib-rd"}

"""One of ours against everything it should beat: paired tests, and what they show, in words."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from afrd.comparison.grid import Cell, Heading, PairedTest, Row, Table, n_classes, number, p_value
from afrd.comparison.job import ALL_LIGHTS, MEAN_IMAGE
from afrd.comparison.series import MEAN_SCORE, ORACLE_LIGHT, Column, Comparison
from afrd.comparison.statistics import TEST_RESAMPLES, Area, Difference, areas, average, difference, holm

ATTENTION = Column("attention", ALL_LIGHTS)
JOINT = Column("joint", ALL_LIGHTS)
AUTO = Column("auto", ALL_LIGHTS)
BEST_LIGHT = "best-light"
_LEVEL = 0.05
_BESIDE = "beside-"


def paired_tables(
    comparison: Comparison, class_titles: dict[str, str], subject: Column = ATTENTION
) -> tuple[list[PairedTest], Table, Table]:
    """The tests of a subject over all classes, their table, and the table of the same tests class by class."""
    others = {key: column for key, column in _others(comparison).items() if column != subject}
    if subject != ATTENTION:
        others |= {"attention": ATTENTION}
    if subject == AUTO:
        others |= _beside_the_default(comparison)
    drawn = _areas(comparison, [subject, *others.values()])
    tests, per_class = [], {}
    for key, column in others.items():
        title = _title(key, column)
        shared = [name for name in comparison.having(subject) if (name, subject) in drawn and (name, column) in drawn]
        pairs = {name: (drawn[name, subject], drawn[name, column]) for name in shared}
        if key != BEST_LIGHT:
            per_class[title] = {name: difference(*pair) for name, pair in pairs.items()}
        if pairs:
            a, b = (average([pair[i] for pair in pairs.values()]) for i in (0, 1))
            found = difference(a, b)
            values = (a.value, b.value, found.value, found.interval, found.p)
            tests.append(PairedTest(key, title, tuple(shared), *values))
    tests = _corrected(tests)
    title = subject.method_title
    suffix = "" if subject == ATTENTION else f"-{subject.method}"
    return tests, _overall(tests, others, title, suffix), _by_class(per_class, class_titles, title, suffix)


def verdicts(tests: Sequence[PairedTest], kind: str | None, subject: Column = ATTENTION) -> list[str]:
    """A sentence for each claim: shown, not shown, or shown the other way, by the 95 % interval of the difference.

    kind: of the data set, see `series.Comparison`.
    """
    where = {"eyecandies": "Eyecandies", "rendered": "rendered captures"}.get(kind or "", "these captures")
    who = subject.method_title[0].upper() + subject.method_title[1:]
    by_key = {test.key: test for test in tests}
    claims = {
        "mean": "mean fusion",
        **({} if subject == ATTENTION else {"attention": "attention"}),
        BEST_LIGHT: None,
        "oracle": None,
        "late-mean": "late fusion by mean",
        "late-max": "late fusion by normalised maximum",
        **{test.key: None for test in tests if test.key.startswith(_BESIDE)},
    }
    sentences = []
    for key, name in claims.items():
        test = by_key.get(key)
        if test is None:
            missing = name or {BEST_LIGHT: "the best fixed light", "oracle": "the oracle light"}[key]
            sentences.append(f"{who} over {missing}: not tested, results are missing.")
            continue
        numbers = f"I-AUROC {number(test.subject)} against {number(test.value)}, difference "
        numbers += number(test.difference, signed=True)
        if test.interval is not None:
            low, high = (number(end, signed=True) for end in test.interval)
            numbers += f" (95 % interval {low} to {high}, p {p_value(test.p)}, Holm {p_value(test.holm)})"
        numbers += f", {n_classes(len(test.classes))} of {where}"
        sentences.append(f"{who} over {name or test.other}: {_verdict(test)}. {numbers}.")
    return sentences


def _verdict(test: PairedTest) -> str:
    if test.interval is None:
        return "not shown, too few captures for an interval"
    low, high = test.interval
    if low <= 0 <= high:
        return "not shown"
    word = "shown" if low > 0 else "shown the other way"
    return word if test.holm < _LEVEL else f"{word}, but not after Holm's correction for {test.family} comparisons"


def _others(comparison: Comparison) -> dict[str, Column]:
    lights = {f"light-{i}": Column("rd", str(i)) for i in range(len(comparison.lights))}
    others = {"mean": Column("mean", ALL_LIGHTS), **lights}
    if best := _best_light(comparison, list(lights.values())):
        others[BEST_LIGHT] = best
    return others | {
        "oracle": Column("rd", ORACLE_LIGHT),
        "late-mean": Column("late-mean", ALL_LIGHTS),
        "late-max": Column("late-max", ALL_LIGHTS),
        "paper-attention": Column("paper-attention", ALL_LIGHTS),
    }


def _beside_the_default(comparison: Comparison) -> dict[str, Column]:
    """What else of ours was run, and the methods that read one image."""
    return {
        f"{_BESIDE}{'-'.join(column)}": column
        for column in comparison.columns
        if column in (JOINT, Column("nearest", ALL_LIGHTS)) or column.policy in (MEAN_IMAGE, MEAN_SCORE)
    }


def _best_light(comparison: Comparison, lights: list[Column]) -> Column | None:
    """The light with the best average over the classes that all lights have; None where there is no such class."""
    found = _areas(comparison, lights, resamples=1)
    shared = [name for name in comparison.classes if all((name, light) in found for light in lights)]
    if not lights or not shared:
        return None
    return max(lights, key=lambda light: np.mean([found[name, light].value for name in shared]))


def _areas(
    comparison: Comparison, columns: list[Column], resamples: int = TEST_RESAMPLES
) -> dict[tuple[str, Column], Area]:
    """Of the classes and columns that have one."""
    found = {}
    for name, captures in comparison.classes.items():
        if captures is None or captures.labels.all() or not captures.labels.any():
            continue
        runs = {c: comparison.series[name, c].runs for c in columns if (name, c) in comparison.series}
        found |= {(name, c): area for c, area in areas(name, captures.labels, runs, resamples=resamples).items()}
    return found


def _corrected(tests: list[PairedTest]) -> list[PairedTest]:
    tested = [test for test in tests if test.p is not None]
    corrected = dict(zip((test.key for test in tested), holm([test.p for test in tested]), strict=True))
    return [replace(test, holm=corrected.get(test.key), family=len(tested)) for test in tests]


def _title(key: str, column: Column) -> str:
    if key == BEST_LIGHT:
        return f"the best fixed light (RD {column.policy_title}, chosen on the test labels)"
    if key == "oracle":
        return "the oracle light (RD, best light of each class by test label)"
    if column.policy in (MEAN_IMAGE, MEAN_SCORE):
        return f"{column.method_title}, {column.policy_title}"
    return f"RD {column.policy_title}" if column.method == "rd" else column.method_title


def _overall(tests: list[PairedTest], others: dict[str, Column], title: str, suffix: str) -> Table:
    headings = ("classes", title, "the other", "difference", "p", "p, Holm")
    rows = []
    for test in tests:
        p = [Cell("text", text=p_value(p)) if p is not None else Cell("missing") for p in (test.p, test.holm)]
        rows.append(
            Row(
                test.other,
                (
                    Cell("text", text=str(len(test.classes))),
                    Cell("value", test.subject),
                    Cell("value", test.value),
                    Cell("value", test.difference, test.interval, signed=True),
                    *p,
                ),
            )
        )
    family = tests[0].family if tests else 0
    absent = [_title(key, column) for key, column in others.items() if key not in {test.key for test in tests}]
    return Table(
        f"tests{suffix}",
        f"{title[0].upper()}{title[1:]} against the others, I-AUROC over all classes, paired",
        tuple(Heading(title) for title in headings),
        tuple(rows),
        corner=f"{title} against",
        notes=(
            "Over the classes that both have. A resample of a class draws its good captures, its defective captures "
            "and the seeds, the same for both sides; classes are drawn apart. "
            f"{TEST_RESAMPLES:,} resamples, two-sided p. Holm: corrected for the {family} comparisons.",
            "Each side is the mean over its own seeds, which may be more for one than for the other.",
            "Best fixed light and oracle light were chosen with the test labels, which flatters them; the choice is "
            "held fixed in the resamples.",
        ),
        missing="; ".join(absent),
    )


def _by_class(
    per_class: dict[str, dict[str, Difference]], class_titles: dict[str, str], title_of_subject: str, suffix: str
) -> Table:
    keys = [(title, name) for title, found in per_class.items() for name, d in found.items() if d.p is not None]
    corrected = dict(zip(keys, holm([per_class[title][name].p for title, name in keys]), strict=True))
    rows = []
    for name, class_title in class_titles.items():
        cells = []
        for title, found in per_class.items():
            d = found.get(name)
            p = corrected.get((title, name))
            cells.append(Cell("missing") if d is None else Cell("value", d.value, d.interval, signed=True, p=p))
        rows.append(Row(class_title, tuple(cells)))
    return Table(
        f"tests-classes{suffix}",
        f"The same, class by class: difference of I-AUROC, {title_of_subject} minus the other",
        tuple(Heading(title) for title in per_class),
        tuple(rows),
        corner="class",
        notes=(f"p is Holm's, corrected for the {len(keys)} tests of this table.",),
    )

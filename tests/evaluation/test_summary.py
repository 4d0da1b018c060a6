"""The table in the terminal."""

import io
from dataclasses import replace

from rich.console import Console

from afrd.evaluation.evaluate import evaluate
from afrd.evaluation.summary import print_evaluation


def printed(evaluation):
    stream = io.StringIO()
    print_evaluation(evaluation, Console(file=stream, width=120))
    return stream.getvalue()


def test_prints_values_intervals_and_verdicts(dome_evaluation):
    text = printed(dome_evaluation)
    for metrics in (dome_evaluation.metrics, *dome_evaluation.per_defect.values()):
        for estimate in (metrics.image_auroc, metrics.pixel_auroc, metrics.au_pro):
            assert f"{estimate.value:.3f} {estimate.low:.3f}–{estimate.high:.3f}" in text
    assert f"{dome_evaluation.confusion['found']} of 18 defective parts found" in text


def test_names_with_brackets_are_printed_and_undefined_metrics_explained(domes, lit):
    inspector, captures = domes
    good = lit.capture_list((c for c in captures if not c.anomalous), category="part [red]")
    text = printed(evaluate(inspector, good))
    assert "part [red]" in text
    assert "I-AUROC: no defective capture" in text


def test_a_part_that_was_not_whole_is_told_without_a_fault_of_any_light(dome_evaluation):
    captures = list(dome_evaluation.captures)
    captures[0] = replace(captures[0], judged=False, rig_notes=("the part lies outside of the picture in part",))
    captures[4] = replace(captures[4], judged=False)
    text = " ".join(printed(replace(dome_evaluation, captures=tuple(captures))).split())
    assert f"first {captures[0].id}: the part lies outside of the picture in part. I-AUROC" in text


def test_captures_that_were_learned_from_are_not_held_against_the_promise(dome_evaluation):
    promise = {"false_alarm_bound": 0.1, "false_alarm_rate": 0.05, "holdout_parts": 60, "tail": "conformal"}
    evaluation = replace(dome_evaluation, config=promise)
    assert "False alarms stated: 5 %" in printed(evaluation)
    text = " ".join(printed(replace(evaluation, learned_from=True)).split())
    assert "False alarms stated" not in text and "The model learned from these captures, so they say nothing" in text


def test_what_was_judged_without_a_light_is_told_apart_from_what_was_judged_by_all(dome_evaluation):
    """Several lights unlike training are another part, judged by all."""
    captures = list(dome_evaluation.captures)
    captures[1] = replace(captures[1], light_faults=("light top: unlike training",))
    captures[2] = replace(captures[2], light_faults=("light left: dark",), threshold=0.5, left_out=True)
    captures[3] = replace(captures[3], light_faults=("light right: dark",), threshold=0.5, left_out=True)
    text = " ".join(printed(replace(dome_evaluation, captures=tuple(captures))).split())
    assert f"2 captures were judged without a light that failed, first {captures[2].id}: light left: dark." in text
    by_all = "1 captures were judged by all lights, some of them unlike training"
    assert f"{by_all}, first {captures[1].id}: light top: unlike training." in text


def test_it_says_which_threshold_captures_of_another_rig_had(dome_evaluation):
    captures = list(dome_evaluation.captures)
    captures[1] = replace(
        captures[1], rig_notes=("rig: noise × 3 against training's; shorten the gain",), threshold=2.5
    )
    text = " ".join(printed(replace(dome_evaluation, captures=tuple(captures))).split())
    assert f"by a rig unlike training's, first {captures[1].id}: rig: noise × 3" in text
    assert "1 were judged by the threshold of such captures, 2.5." in text

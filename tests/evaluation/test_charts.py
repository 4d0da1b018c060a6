from dataclasses import replace

from afrd.evaluation.charts import score_histogram


def test_the_wider_threshold_is_drawn_where_captures_were_judged_by_it(dome_evaluation):
    captures = list(dome_evaluation.captures)
    noted = replace(captures[1], rig_notes=("rig: noise × 3 against training's",), threshold=2.5)
    without_a_light = replace(captures[2], threshold=7.5, left_out=True)
    one = score_histogram(replace(dome_evaluation, captures=(*captures[:2], without_a_light, *captures[3:])))
    two = score_histogram(replace(dome_evaluation, captures=(captures[0], noted, *captures[2:])))
    assert "dotted" not in one and "rig unlike training" not in one
    assert "rig unlike training" in two and "2.5" in two
    assert two.count("stroke-dasharray") == one.count("stroke-dasharray") + 2, "a line in each of the two rows"

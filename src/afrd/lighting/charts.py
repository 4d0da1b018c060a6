"""Accuracy of the subsets of lights, as inline SVG in the report's style."""

import matplotlib
from matplotlib.figure import Figure

from afrd.evaluation.charts import COLOUR, STYLE, to_svg
from afrd.lighting.result import LightStudy


def by_number(study: LightStudy) -> str:
    """I-AUROC of every subset against the number of its lights; the best of each number joined."""
    sizes = sorted({len(each.lights) for each in study.subsets})
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(4.6, 2.5), layout="constrained")
        axes = figure.subplots()
        axes.plot([len(each.lights) for each in study.subsets], _values(study), "o", **_dot("muted", 3.5, 0.45))
        axes.plot(sizes, [study.best_of(size).value for size in sizes], color=COLOUR["accent"], linewidth=1.5)
        _mark_chosen(axes, study, len(study.recommended))
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set(xlabel="lights", ylabel="I-AUROC")
        return to_svg(figure, "by-number")


def by_time(study: LightStudy) -> str:
    """I-AUROC of every subset against its cycle time; the Pareto front as steps."""
    front = study.front
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(4.6, 2.5), layout="constrained")
        axes = figure.subplots()
        times = [each.cycle_ms for each in study.subsets]
        axes.plot(times, _values(study), "o", **_dot("muted", 3.5, 0.45))
        x, y = [each.cycle_ms for each in front], [each.value for each in front]
        axes.step([*x, max(times)], [*y, y[-1]], where="post", color=COLOUR["accent"], linewidth=1.5)
        _mark_chosen(axes, study, study.subset(study.recommended).cycle_ms)
        axes.set(xlabel="cycle time, ms", ylabel="I-AUROC", xlim=(0, None))
        return to_svg(figure, "by-time")


def _values(study: LightStudy) -> list[float]:
    return [each.value for each in study.subsets]


def _dot(colour: str, size: float, alpha: float = 1.0) -> dict:
    return {"color": COLOUR[colour], "markersize": size, "alpha": alpha, "markeredgewidth": 0, "clip_on": False}


def _mark_chosen(axes, study: LightStudy, x: float) -> None:
    axes.plot(x, study.subset(study.recommended).value, "o", **_dot("good", 8), zorder=3)

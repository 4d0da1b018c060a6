"""The report's charts, as inline SVG that takes its colours and font from the page around it.

matplotlib cannot write CSS variables, so each role has a placeholder colour here that becomes its variable in the SVG;
so a chart follows the reader's light or dark scheme. Knows no captures and no HTML beyond that.
"""

import io
import re

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from afrd.evaluation.curves import PRO_LIMIT
from afrd.evaluation.result import Evaluation

_ROLES = ("ink", "muted", "line", "accent", "good", "bad")
COLOUR = {role: f"#0{i}0{i}0{i}" for i, role in enumerate(_ROLES, start=1)}
STYLE = {
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.edgecolor": COLOUR["line"],
    "axes.labelcolor": COLOUR["muted"],
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": COLOUR["ink"],
    "xtick.color": COLOUR["line"],
    "ytick.color": COLOUR["line"],
    "xtick.labelcolor": COLOUR["muted"],
    "ytick.labelcolor": COLOUR["muted"],
}
_DRAWN_POINTS = 400


def score_histogram(evaluation: Evaluation) -> str:
    """Scores of good captures above, of defective ones below, and the threshold between the verdicts.

    Dotted: that of captures which the rig check notes, where some were judged by it.
    """
    judged = [result for result in evaluation.captures if result.judged]
    scores = np.array([result.score for result in judged])
    labels = np.array([result.anomalous for result in judged])
    thresholds = [evaluation.threshold, *(one.threshold for one in evaluation.judged_by_the_wider[:1])]
    bins = np.linspace(*_spread(np.append(scores, thresholds)), 33)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(4.6, 2.3), layout="constrained")
        rows = figure.subplots(2, 1, sharex=True, sharey=True)
        for axes, name, bad in ((rows[0], "good", False), (rows[1], "defective", True)):
            axes.hist(scores[labels == bad], bins=bins, color=COLOUR["bad" if bad else "good"], rwidth=0.9)
            for threshold, dashes in zip(thresholds, ((4, 2), (1, 2)), strict=False):
                axes.axvline(threshold, color=COLOUR["ink"], linewidth=1.2, linestyle=(0, dashes))
            axes.set_ylabel(name)
            axes.yaxis.get_major_locator().set_params(integer=True, nbins=3)
        noted = "".join(f"; dotted, of a rig unlike training's: {wide:.3g}" for wide in thresholds[1:])
        rows[0].annotate(
            f"threshold {evaluation.threshold:.3g}{noted}",
            (0, 1) if noted else (evaluation.threshold, 1),
            xycoords="axes fraction" if noted else ("data", "axes fraction"),
            xytext=(0, 3),
            textcoords="offset points",
            ha="left" if noted else "center",
            va="bottom",
        )
        rows[0].tick_params(axis="x", length=0)
        rows[1].set_xlabel("score of the capture")
        return to_svg(figure, "scores")


def roc(evaluation: Evaluation) -> str | None:
    """Captures: share of defective ones found against share of good ones called anomalous."""
    estimate = evaluation.metrics.image_auroc
    if estimate.curve is None:
        return None
    with matplotlib.rc_context(STYLE):
        figure, axes = _square()
        axes.plot([0, 1], [0, 1], color=COLOUR["line"], linewidth=1, linestyle=(0, (2, 2)))
        axes.plot(*_thinned(estimate.curve), color=COLOUR["accent"], linewidth=2, clip_on=False)
        counts = evaluation.confusion
        axes.plot(
            counts["false alarm"] / evaluation.n_good,
            counts["found"] / evaluation.n_bad,
            "o",
            color=COLOUR["ink"],
            markersize=7,
            clip_on=False,
            zorder=3,
        )
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="false alarms", ylabel="defective parts found")
        return to_svg(figure, "roc")


def pro(evaluation: Evaluation) -> str | None:
    """Pixels: mean share of each defective region above a threshold against share of good pixels above it."""
    regions, pixels = evaluation.metrics.au_pro.curve, evaluation.metrics.pixel_auroc.curve
    if regions is None or pixels is None:
        return None
    with matplotlib.rc_context(STYLE):
        figure, axes = _square()
        axes.fill_between(*_thinned(_up_to(regions, PRO_LIMIT)), color=COLOUR["accent"], alpha=0.12, linewidth=0)
        axes.plot(*_thinned(_up_to(pixels, PRO_LIMIT)), color=COLOUR["muted"], linewidth=1.5, linestyle=(0, (4, 2)))
        axes.plot(*_thinned(_up_to(regions, PRO_LIMIT)), color=COLOUR["accent"], linewidth=2)
        axes.set(xlim=(0, PRO_LIMIT), ylim=(0, 1), xlabel="good pixels marked", ylabel="defect covered")
        axes.xaxis.get_major_locator().set_params(nbins=4)
        return to_svg(figure, "pro")


def _square() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(2.15, 2.2), layout="constrained")
    axes = figure.subplots()
    axes.grid(color=COLOUR["line"], linewidth=0.6, alpha=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def _spread(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    margin = (high - low) * 0.03 or abs(high) * 0.1 or 1.0
    return low - margin, high + margin


def _up_to(curve: np.ndarray, limit: float) -> np.ndarray:
    end = [[limit], [np.interp(limit, *curve)]]
    return np.concatenate([curve[:, curve[0] < limit], end], axis=1)


def _thinned(curve: np.ndarray) -> np.ndarray:
    """A curve of at most a few hundred points, evenly spaced along its length."""
    if curve.shape[1] <= _DRAWN_POINTS:
        return curve
    along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(curve)))])
    kept = np.unique(np.searchsorted(along, np.linspace(0, along[-1], _DRAWN_POINTS)))
    return curve[:, np.clip(kept, 0, curve.shape[1] - 1)]


def to_svg(figure: Figure, name: str) -> str:
    """The figure as inline SVG without a size of its own. name: of the chart, one of its kind on a page."""
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    head, rest = svg.split(">", 1)
    svg = re.sub(r'\s(width|height)="[^"]*"', "", head) + ">" + rest  # the page gives it its size
    # Several charts share one page, and so one space of ids.
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'href="#', f'href="#{name}-', svg).replace("url(#", f"url(#{name}-")
    for role, colour in COLOUR.items():
        svg = svg.replace(colour, f"var(--{role})")
    return svg

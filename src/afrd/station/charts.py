"""Small charts as SVG that follow the page's colours. Every value is also said in words beside them."""

from collections.abc import Sequence

from markupsafe import Markup, escape

from afrd.station.drift import Chart

_WIDTH, _HEIGHT, _EDGE = 480, 140, 6


def drift_svg(chart: Chart) -> Markup:
    """Captures as dots, their average as a line, its limits dashed."""
    low, high = _span([*chart.values, *(limit for limit in (chart.low, chart.high) if limit is not None)])
    parts = [_dots(chart.values, low, high), f'<polyline class="average" points="{_line(chart.average, low, high)}"/>']
    for limit in (chart.low, chart.high):
        if limit is not None:
            y = _y(limit, low, high)
            parts.append(f'<line class="limit" x1="0" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>')
    return _svg(parts, f"{chart.quantity} of {chart.light}, now {chart.average[-1]:.3g}", low, high)


def scores_svg(shares: Sequence[float]) -> Markup:
    """Scores as shares of their threshold, oldest first; the threshold dashed."""
    low, high = 0.0, max(1.2, *shares)
    y = _y(1, low, high)
    limit = f'<line class="limit" x1="0" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
    return _svg([_dots(shares, low, high), limit], f"scores of {len(shares)} parts, 1 is the threshold", low, high)


def histogram_svg(bins: Sequence[tuple[float, int, int, int]]) -> Markup:
    """Stacked bars of `statistics.histogram`: not reviewed, reviewed good, reviewed defect; the threshold dashed."""
    most = max(1, *(sum(row[1:]) for row in bins))
    width = _WIDTH / len(bins)
    parts = []
    for k, (_, *counts) in enumerate(bins):
        y = float(_HEIGHT)
        for count, kind in zip(counts, ("plain", "was-good", "was-defect"), strict=True):
            height = count / most * (_HEIGHT - 20)
            y -= height
            if count:
                place = f'x="{k * width + 1:.1f}" y="{y:.1f}" width="{width - 2:.1f}" height="{height:.1f}"'
                parts.append(f'<rect class="{kind}" {place}/>')
    parts.append(f'<line class="limit" x1="{_WIDTH / 2}" x2="{_WIDTH / 2}" y1="0" y2="{_HEIGHT}"/>')
    parts.append(f'<text x="{_WIDTH / 2 + 4}" y="12">threshold</text>')
    total = [sum(row[k] for row in bins) for k in (1, 2, 3)]
    words = f"scores: {total[0]} not reviewed, {total[1]} reviewed good, {total[2]} reviewed defect"
    return _svg(parts, words)


def _svg(parts: Sequence[str], words: str, low: float | None = None, high: float | None = None) -> Markup:
    labels = (
        [] if low is None else [f'<text x="4" y="12">{high:.3g}</text><text x="4" y="{_HEIGHT - 4}">{low:.3g}</text>']
    )
    inside = "".join([*parts, *labels])
    return Markup(
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(words)}">{inside}</svg>'
    )


def _dots(values: Sequence[float], low: float, high: float) -> str:
    """One path of round points: a page of many charts stays small."""
    points = "".join(f"M{_x(k, len(values)):.1f},{_y(value, low, high):.1f}h0" for k, value in enumerate(values))
    return f'<path class="dot" d="{points}"/>'


def _line(values: Sequence[float], low: float, high: float) -> str:
    return " ".join(f"{_x(k, len(values)):.1f},{_y(value, low, high):.1f}" for k, value in enumerate(values))


def _x(k: int, n: int) -> float:
    return _EDGE + (_WIDTH - 2 * _EDGE) * (k / (n - 1) if n > 1 else 0.5)


def _y(value: float, low: float, high: float) -> float:
    return _HEIGHT - _EDGE - (_HEIGHT - 2 * _EDGE) * (value - low) / (high - low)


def _span(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    margin = 0.1 * (high - low) or 0.1 * abs(high) or 1.0
    return low - margin, high + margin

"""One HTML file that shows an evaluation: numbers, curves, and the captures that it got most right and most wrong.

The file needs nothing beside it and no network: styles, script, charts and pictures are inside. Layout and words are in
`templates/`; here is what goes into them. Knows no model.
"""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
import numpy as np
import yaml
from markupsafe import Markup
from PIL import Image

import afrd
from afrd.capture import Capture
from afrd.errors import DatasetError
from afrd.evaluation import charts
from afrd.evaluation.curves import PRO_LIMIT
from afrd.evaluation.result import CaptureResult, Evaluation
from afrd.evaluation.visual import colour_range, heat_map, mask_picture, mean_light, overlay, photo
from afrd.files import write_text
from afrd.views import can_view, make_views

_TILE = 256  # pixels of an embedded picture; shown at half that on a fine screen


@dataclass(frozen=True)
class Picture:
    """An embedded picture with its caption; weight is that of a light, averaged over the levels."""

    caption: str
    alt: str
    source: str
    weight: float | None = None


@dataclass(frozen=True)
class LightWeight:
    """Weight of one light on one level: mean, 10th and 90th percentile over the captures."""

    light: str
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Example:
    """A capture shown in full; index is its row in the evaluation."""

    index: int
    result: CaptureResult
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Group:
    """Examples of one outcome, the clearest first; total counts all captures with it."""

    title: str
    about: str
    total: int
    examples: tuple[Example, ...]


def write_report(
    out: Path, evaluation: Evaluation, captures: Sequence[Capture], *, title: str | None = None, n_examples: int = 6
) -> None:
    """Write the report on an evaluation to the file `out`, whole or not at all.

    captures: those that were evaluated, in the same order; only the shown ones are read.
    n_examples: captures to show of each outcome (found, false alarm, miss; light faults, good parts passed: a third).
    Raises DatasetError where the captures are not those of the evaluation.
    """
    if len(captures) != len(evaluation.captures):
        raise DatasetError(
            f"{len(captures)} captures for an evaluation of {len(evaluation.captures)}; "
            "give the split that was evaluated"
        )
    groups = _groups(evaluation, captures, n_examples)
    page = templates().get_template("report.html.j2")
    html = page.render(
        title=title or f"{evaluation.category}, {evaluation.split}",
        evaluation=evaluation,
        rating=rating(evaluation),
        stated=evaluation.stated,
        groups=groups,
        shown={example.index for group in groups for example in group.examples},
        missed={
            defect: sum(result.outcome == "miss" and defect in result.defects for result in evaluation.captures)
            for defect in evaluation.per_defect
        },
        defects=list(evaluation.per_defect),
        score_histogram=Markup(charts.score_histogram(evaluation)),
        roc=_markup(charts.roc(evaluation)),
        pro=_markup(charts.pro(evaluation)),
        levels=_light_shares(evaluation),
        weight="evidence" if evaluation.config.get("capabilities", {}).get("evidence") else "weight",
        pro_limit=PRO_LIMIT,
        config=yaml.safe_dump(evaluation.config, sort_keys=False, allow_unicode=True),
        version=afrd.__version__,
    )
    write_text(Path(out), html)


def rating(evaluation: Evaluation) -> str:
    """How well the scores separate good from defective, in plain words."""
    value, interval = evaluation.image_auroc, evaluation.image_auroc_ci
    if value is None:
        return (
            f"How well the scores separate good from defective cannot be said: {evaluation.metrics.image_auroc.reason}."
        )
    if value <= 0.5 or (interval and interval[0] <= 0.5):
        return "The scores are not shown to be better than guessing."
    words = ((0.99, "almost perfectly"), (0.95, "very well"), (0.9, "well"), (0.8, "fairly well"), (0.7, "weakly"))
    how = next((word for least, word in words if value >= least), "barely")
    return f"The scores separate good from defective parts {how}."


def _groups(evaluation: Evaluation, captures: Sequence[Capture], n: int) -> list[Group]:
    rows = list(enumerate(evaluation.captures))
    groups = []
    for outcome, title, about, highest_first, most in (
        ("miss", "Misses", "Defective parts called good, the lowest scores first.", False, n),
        ("false alarm", "False alarms", "Good parts called anomalous, the highest scores first.", True, n),
        ("found", "Defects found", "Defective parts called anomalous, the highest scores first.", True, n),
        ("light fault", "Light faults", "Parts under lights that could not be trusted.", True, -(-n // 3)),
        ("passed", "Good parts passed", "Good parts called good, the lowest scores first.", False, -(-n // 3)),
    ):
        chosen = [row for row in rows if row[1].outcome == outcome]
        chosen.sort(key=lambda row: row[1].score, reverse=highest_first)
        examples = tuple(_example(evaluation, captures, index) for index, _ in chosen[:most])
        groups.append(Group(title, about, len(chosen), examples))
    return groups


def _light_shares(evaluation: Evaluation) -> list[list[LightWeight]]:
    """Per level, per light."""
    weights = np.stack([result.light_shares for result in evaluation.captures]).astype(float)  # [K, L, N]
    figures = np.stack([weights.mean(axis=0), *np.quantile(weights, [0.1, 0.9], axis=0)], axis=-1)  # [L, N, 3]
    return [
        [LightWeight(light, *row) for light, row in zip(evaluation.lights, level.tolist(), strict=True)]
        for level in figures
    ]


def _example(evaluation: Evaluation, captures: Sequence[Capture], index: int) -> Example:
    result, anomaly_map, capture = evaluation.captures[index], evaluation.maps[index], captures[index]
    if capture.id != result.id:
        raise DatasetError(
            f"capture {index} is {capture.id}, but {result.id} was evaluated there; give the split that was evaluated"
        )
    weights = result.light_shares.mean(axis=0)
    threshold = evaluation.threshold if result.threshold is None else result.threshold
    pictures = [
        Picture(name, f"Capture {result.id} under light {name}", _embedded(photo(image)), float(weight))
        for image, name, weight in zip(capture.images, capture.lights.names, weights, strict=True)
    ]
    if capture.mask is not None:
        where = "the defect in white" if capture.mask.any() else "all black, no defect"
        pictures.append(Picture("mask", f"Mask of capture {result.id}: {where}", _embedded(mask_picture(capture.mask))))
    if can_view(capture.lights):
        named = {"no_highlight": "without highlights", "no_shadow": "without shadows"}
        for field, view in make_views(capture).items():
            name = named.get(field, field)
            pictures.append(Picture(name, f"Capture {result.id}: {name}, computed from its lights", _embedded(view)))
    heat = heat_map(anomaly_map, *colour_range(threshold))
    above = float((anomaly_map > threshold).mean())
    pictures.append(Picture("anomaly map", f"Anomaly map of capture {result.id}", _embedded(heat)))
    over = overlay(mean_light(capture.images), anomaly_map, threshold)
    alt = f"Anomaly map over capture {result.id}; {above:.1%} of the pixels are above the threshold"
    pictures.append(Picture("overlay", alt, _embedded(over)))
    return Example(index, result, tuple(pictures))


def _embedded(picture: np.ndarray) -> str:
    image = Image.fromarray(picture)
    image.thumbnail((_TILE, _TILE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _markup(svg: str | None) -> Markup | None:
    return None if svg is None else Markup(svg)


def templates(*packages: str) -> jinja2.Environment:
    """Where pages come from, in the report's style. packages: with templates of their own."""
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(name) for name in (*packages, "afrd.evaluation")]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["three"] = lambda value: f"{value:.3f}"
    environment.filters["percent"] = lambda value: f"{value:.1%}"
    return environment

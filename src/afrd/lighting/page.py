"""A study of lights as one HTML file, in the report's style; it needs nothing beside it and no network."""

from pathlib import Path

from markupsafe import Markup

import afrd
from afrd.evaluation.report import templates
from afrd.files import write_text
from afrd.lighting import charts
from afrd.lighting.result import LightStudy


def write_page(out: Path, study: LightStudy) -> None:
    """Writes the file `out`, whole or not at all."""
    page = templates("afrd.lighting").get_template("lights.html.j2")
    sizes = sorted({len(each.lights) for each in study.subsets})
    html = page.render(
        study=study,
        title=f"{study.category or 'captures'}: lights",
        chosen=study.subset(study.recommended),
        every=study.subset(study.lights),
        words=study.words(),
        by_number=Markup(charts.by_number(study)),
        by_time=Markup(charts.by_time(study)),
        singles=[study.subset((light,)) for light in study.lights],
        best=[study.best_of(size) for size in sizes],
        ranked=sorted(study.subsets, key=lambda each: (-each.value, each.cycle_ms)),
        version=afrd.__version__,
    )
    write_text(Path(out), html)

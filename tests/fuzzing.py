"""Requests drawn by schemathesis from a station's OpenAPI schema, those that it allows and those that it forbids."""

import contextlib
from collections import Counter

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from station_process import StationProcess


def fuzz(station: StationProcess, examples: int, seed: int) -> tuple[Counter, list[str]]:
    """(status → answers, what is wrong): `examples` for each operation and kind of request; about as many are sent."""
    schema = schemathesis.openapi.from_url(f"{station.url}/api/openapi.json")
    counts: Counter = Counter()
    faults: list[str] = []
    for found in schema.get_all_operations():
        operation = found.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            _draw(operation, mode, examples, seed, counts, faults)
    return counts, faults


def _draw(operation, mode: GenerationMode, examples: int, number: int, counts: Counter, faults: list[str]) -> None:
    if mode is GenerationMode.NEGATIVE and not (operation.body or operation.query or operation.path_parameters):
        return  # nothing that could be wrong

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case) -> None:
        answer = case.call(timeout=120)
        counts[answer.status_code] += 1
        if answer.status_code >= 500 and answer.status_code != 503:
            faults.append(
                f"{operation.label}: {answer.status_code} {answer.text[:200]} to {case.as_curl_command()[:500]}"
            )

    with contextlib.suppress(Unsatisfiable):  # of some operations nothing can be forbidden: any text may be an id
        ask()

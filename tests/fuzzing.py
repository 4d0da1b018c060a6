"""Requests drawn by schemathesis from a station's OpenAPI schema, those that it allows and those that it forbids."""

import contextlib
from collections import Counter
from collections.abc import Mapping
from itertools import count

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from station_process import StationProcess


def fuzz(
    station: StationProcess, examples: int, seed: int, parts: Mapping[str, dict[str, bytes]]
) -> tuple[Counter, list[str]]:
    """(status → answers, what is wrong): `examples` for each operation and kind of request; about as many are sent.

    parts: id → files of captures on record. Every other request names one of them and a light of it, where its path
    names any; after every tenth of captures a whole one is sent under the drawn id. A full queue may answer 503, with
    Retry-After.
    """
    schema = schemathesis.openapi.from_url(f"{station.url}/api/openapi.json")
    counts: Counter = Counter()
    faults: list[str] = []
    for found in schema.get_all_operations():
        operation = found.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            _draw(station, operation, mode, examples, seed, parts, counts, faults)
    return counts, faults


def _draw(station, operation, mode: GenerationMode, examples: int, number: int, parts, counts, faults) -> None:
    if mode is GenerationMode.NEGATIVE and not (operation.body or operation.query or operation.path_parameters):
        return  # nothing that could be wrong

    turn = count()

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
        k = next(turn)
        if k % 2 and case.path_parameters:
            id = sorted(parts)[k // 2 % len(parts)]
            known = {"id": id, "name": sorted(parts[id])[k // 4 % len(parts[id])]}
            case.path_parameters = {name: known.get(name, value) for name, value in case.path_parameters.items()}
        answer = case.call(timeout=120)
        counts[answer.status_code] += 1
        busy = answer.status_code == 503 and "retry-after" in answer.headers
        if answer.status_code >= 500 and not busy:
            faults.append(
                f"{operation.label}: {answer.status_code} {answer.text[:200]} to {case.as_curl_command()[:500]}"
            )
        if k % 10 == 0 and operation.label == "POST /api/captures":
            form = case.body if isinstance(case.body, dict) else {}
            whole = station.post(parts[sorted(parts)[k // 10 % len(parts)]], str(form.get("id", ""))[:100])
            counts[whole.status_code] += 1
            if whole.status_code not in (200, 409, 422, 429, 503):
                faults.append(f"a whole capture under {form.get('id')!r}: {whole.status_code} {whole.text[:200]}")

    with contextlib.suppress(Unsatisfiable):  # of some operations nothing can be forbidden: any text may be an id
        ask()

"""The folder of a comparison: its table of results, one job a row, and the maps of those that others need.

    suite.yaml               settings, the same for every job
    results.jsonl            a row a job: metrics, scores per capture, versions, times
    results/<job>.json       rows that a running comparison has not put into the table yet: whole or absent. One that
                             failed adds its error to the finished row that is there, and takes nothing away
    maps/<job>.npz           "test" [K, S, S] and "holdout" [V, S, S] float16, anomaly maps at the model's size, and
                             "test noise:2" and so on where another method combines those of disturbed captures
    features/                the teacher's features, shared by all jobs; may be deleted
    results.csv              the figures alone, and a row for each disturbance a job was judged under

Everything is derived from the table; nothing else has to be kept. Knows neither methods nor how they are run.
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zipfile import BadZipFile

import numpy as np

from afrd.comparison.job import Job, Settings
from afrd.disturb import Disturbance
from afrd.errors import RunError
from afrd.files import atomic_path, is_temporary, write_text
from afrd.yaml_model import parse, read_yaml, to_yaml

FORMAT = 1
_NUMBERS = (
    "image_auroc",
    "pixel_auroc",
    "au_pro",
    "false_alarm_rate",
    "stated_rate",
    "false_alarm_bound",
    "miss_rate",
    "light_fault_rate",
    "n_good",
    "n_bad",
    "n_train",
    "threshold",
    "seconds_fit",
    "seconds_total",
    "peak_memory_mb",
)
COLUMNS = ("category", "method", "light", "seed", "disturbance", "status", *_NUMBERS, "commit", "error")


class Store:
    """A comparison's folder. Raises RunError where a file is damaged or does not belong."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.features = self.folder / "features"

    def require_fitting(self, settings: Settings) -> None:
        """A folder for a comparison with these settings: new, or one with the same; nothing is written yet."""
        if not (self.folder / "suite.yaml").is_file():
            if self.folder.is_dir() and any(p.name not in (".lock", "features") for p in self.folder.iterdir()):
                raise RunError(f"{self.folder}: not empty and no comparison (no suite.yaml); choose another --out")
            return
        mine, theirs = settings.model_dump(), self.settings().model_dump()
        changed = [f"{k}: {theirs[k]} → {mine[k]}" for k in mine if mine[k] != theirs[k] and k != "threads"]
        if changed:
            raise RunError(
                f"{self.folder}: was started with other settings ({'; '.join(changed)}); use these, or another --out"
            )

    def open(self, settings: Settings) -> None:
        """The folder with its settings; what a killed process left half-written goes."""
        write_text(self.folder / "suite.yaml", to_yaml(settings))
        for path in [*self.folder.glob("results/*"), *self.folder.glob("maps/*")]:
            if is_temporary(path):
                path.unlink()

    def settings(self) -> Settings:
        """What the comparison was started with."""
        path = self.folder / "suite.yaml"
        if not path.is_file():
            raise RunError(
                f"{self.folder}: no comparison here (suite.yaml not found); pass the --out of afrd benchmark"
            )
        return parse(Settings, read_yaml(path), path)

    @property
    def table(self) -> Path:
        return self.folder / "results.jsonl"

    def result_path(self, job: Job) -> Path:
        """Where a worker leaves the row of a job, until the runner gathers it."""
        return self.folder / "results" / f"{job.id}.json"

    def write(self, job: Job, result: dict[str, Any]) -> None:
        """One result file, whole or not at all."""
        head = {"format": FORMAT, "job": job.key}
        write_text(self.result_path(job), _row(head | result))

    def gather(self) -> None:
        """Puts the rows of finished jobs into the table, which is replaced whole; they win over earlier ones."""
        loose = self._loose()
        if loose:
            write_text(self.table, "".join(_row(result) for _, result in sorted(self.read().items())))
        for path in loose:
            path.unlink()

    def write_maps(
        self,
        job: Job,
        holdout: np.ndarray,
        test: np.ndarray,
        disturbed: Mapping[Disturbance, np.ndarray] = MappingProxyType({}),
    ) -> None:
        """disturbed: of disturbed copies of the test captures."""
        maps = {"holdout": holdout, "test": test} | {_maps_name(by): copy for by, copy in disturbed.items()}
        with atomic_path(self.folder / "maps" / f"{job.id}.npz") as temporary:
            np.savez(temporary, **{name: each.astype(np.float16) for name, each in maps.items()})

    def read_maps(self, job: Job, copies: Sequence[Disturbance | None] = (None,)) -> tuple[np.ndarray, np.ndarray]:
        """Maps of held-out and of test captures, one copy of these after the other, float16."""
        path = self.folder / "maps" / f"{job.id}.npz"
        try:
            with np.load(path, allow_pickle=False) as maps:
                return maps["holdout"], np.concatenate([maps[_maps_name(by)] for by in copies])
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise RunError(
                f"{path}: missing or damaged ({error}); delete the row of {job.id} in {self.table} and run the "
                f"comparison again"
            ) from error

    def read(self) -> dict[Job, dict[str, Any]]:
        """Every result, by job."""
        self.settings()
        rows = self._table_rows()
        for row in map(read_result, self._loose()):
            earlier = rows.get(job := Job(**row["job"]))
            finished = row["status"] == "failed" and earlier is not None and earlier["status"] == "done"
            rows[job] = earlier | {"error": row["error"]} if finished else row
        return rows

    def _loose(self) -> list[Path]:
        return [path for path in sorted((self.folder / "results").glob("*.json")) if not is_temporary(path)]

    def _table_rows(self) -> dict[Job, dict[str, Any]]:
        lines = self.table.read_bytes().splitlines() if self.table.is_file() else []
        rows = [_result(line, f"{self.table}:{number}", "the line") for number, line in enumerate(lines, 1)]
        return {Job(**row["job"]): row for row in rows}

    def write_csv(self) -> None:
        """results.csv from the table."""
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(COLUMNS)
        for job, result in sorted(self.read().items()):
            for by, figures in {"": result, **result.get("disturbed", {})}.items():
                row = {**figures, **job.key, "disturbance": by, "status": result["status"]}
                table.writerow([row.get(name) for name in COLUMNS])
        write_text(self.folder / "results.csv", text.getvalue())

    def require_same_origin(
        self,
        digests: dict[str, dict[str, str]],
        rigs: dict[str, dict[str, Any]],
        teacher_digest: str,
        results: Iterable[dict[str, Any]],
    ) -> None:
        """digests, rigs: of each class as it is now (`ClassData`).

        Raises RunError: a result was made from other captures or weights, or by another lights.yaml.
        """
        for result in results:
            if result.get("teacher_digest", teacher_digest) != teacher_digest:
                raise RunError(
                    f"{self.folder}: results were made with other weights of the teacher; restore them, or compare in "
                    f"another --out"
                )
            category = result["job"]["category"]
            before, now = result.get("data", {}).get("digests"), digests.get(category)
            if before and now and before != now:
                parts = ", ".join(part for part in now if before.get(part) != now[part])
                raise RunError(
                    f"{self.folder}: results of {category} were made from other captures ({parts} changed since); "
                    f"restore the data set, or compare in another --out"
                )
            said, says = result.get("data", {}).get("rig"), rigs.get(category)
            parts = ", ".join(part for part in says or () if _another(part, said, says)) if said else ""
            if parts:  # older results do not tell
                raise RunError(
                    f"{self.folder}: results of {category} were made with another lights.yaml ({parts} changed since); "
                    f"restore it, or compare in another --out"
                )


def _another(part: str, said: dict[str, Any], says: dict[str, Any]) -> bool:
    """Whether a result knew another rig. No method reads distances, which renderings of before did not tell."""
    return said.get(part) != says[part] and not (part == "distances" and said.get(part) is None)


def read_results(folder: Path) -> dict[Job, dict[str, Any]]:
    """Every result of a comparison. Raises RunError: no comparison, or a damaged result file."""
    return Store(folder).read()


def _maps_name(by: Disturbance | None) -> str:
    return "test" if by is None else f"test {by}"


def read_result(path: Path) -> dict[str, Any]:
    """The row that a worker left. Raises RunError: as `_result`, or not of the job that its name says."""
    result = _result(path.read_bytes(), str(path), "it")
    job = Job(**result["job"])
    if job.id != path.stem:
        raise RunError(f"{path}: holds the result of {job.id}; restore its name")
    return result


def _row(result: dict[str, Any]) -> str:
    return json.dumps(result, ensure_ascii=False, allow_nan=False) + "\n"


def _result(text: bytes, where: str, what: str) -> dict[str, Any]:
    """Raises RunError: cut short, of another format, or of no job."""
    try:
        result = json.loads(text.decode("utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RunError(f"{where}: damaged ({error}); delete {what} and run the comparison again") from error
    if not isinstance(result, dict) or result.get("format") != FORMAT:
        found = result.get("format") if isinstance(result, dict) else type(result).__name__
        raise RunError(f"{where}: format {found!r}, this afrd reads {FORMAT}; use the afrd that wrote it")
    try:
        Job(**result["job"])
        result["status"]
    except (KeyError, TypeError) as error:
        message = f"{where}: no job or status in it ({error}); delete {what} and run the comparison again"
        raise RunError(message) from error
    return result

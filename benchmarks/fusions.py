"""I-AUROC, P-AUROC and AU-PRO of every fusion, class and seed: the evidence behind docs/deviations.md.

    afrd render DATA --train 60 --val 12 --test 80 --seed 0 --classes …
    python benchmarks/fusions.py run DATA            # one result file per job; started again, it runs what is missing
    python benchmarks/fusions.py run DATA --loss flat --fusions mean --seeds 0
    python benchmarks/fusions.py table               # results → benchmarks/results/fusions.md

Several processes may run at once, each with its own --classes.
"""

import argparse
import json
import platform
import resource
import statistics
import time
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

RESULTS = Path(__file__).parent / "results" / "fusions"
TABLE = RESULTS.parent / "fusions.md"
SINGLES = [f"single:{k}" for k in range(6)]
FUSIONS = ["mean", "attention", *SINGLES, "paper-attention"]
SEEDS = [0, 1, 2]
EPOCHS = 40


def run(data: Path, classes: list[str], seeds: list[int], fusions: list[str], loss: str) -> None:
    from afrd.datasets import categories

    for category, seed, fusion in product(classes or categories(data), seeds, fusions):
        name = fusion.replace(":", "-") + ("" if loss == "position" else f"-{loss}")
        path = RESULTS / f"{category}-{name}-seed{seed}.json"
        if not path.exists():
            job(data, category, fusion, seed, loss, path)


def job(data: Path, category: str, fusion: str, seed: int, loss: str, path: Path) -> None:
    import torch

    from afrd import __version__
    from afrd.datasets import open_dataset
    from afrd.evaluation import evaluate
    from afrd.files import write_text
    from afrd.inspector import Inspector
    from afrd.training import TrainConfig, train

    train_, val, test = (open_dataset(data, category, split) for split in ("train", "val", "test_public"))
    config = TrainConfig(
        fusion=fusion,
        seed=seed,
        loss=loss,
        epochs=EPOCHS,
        cache="disk",
        false_alarm_rate=0.1,
        precision="bf16-mixed",
    )
    started = time.perf_counter()
    with TemporaryDirectory() as out:
        train(train_, Path(out) / "run", config, holdout=val, cache_dir=data / ".features")
        trained = time.perf_counter()
        evaluation = evaluate(Inspector.load(Path(out) / "run"), test)
        last = (Path(out) / "run" / "log.jsonl").read_text().splitlines()[-1]
    result = evaluation.to_json() | {
        "seed": seed,
        "fusion": fusion if loss == "position" else f"{fusion}, {loss} loss",
        "data_digest": test.digest(),
        "n_train": len(train_),
        "last_epoch": json.loads(last),
        "seconds_training": trained - started,
        "seconds_evaluation": time.perf_counter() - trained,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "versions": {"afrd": __version__, "torch": torch.__version__, "python": platform.python_version()},
        "threads": torch.get_num_threads(),
    }
    write_text(path, json.dumps(result) + "\n")
    print(f"{path.stem}: I-AUROC {evaluation.image_auroc:.3f}, {trained - started:.0f} s", flush=True)


def table() -> str:
    from afrd.evaluation.metrics import paired_difference

    results = {}
    for path in sorted(RESULTS.glob("*.json")):
        r = json.loads(path.read_text())
        results[r["category"], r["fusion"], r["seed"]] = r
    classes = sorted({c for c, _, _ in results})
    seeds = sorted({s for _, _, s in results})
    missing = "; ".join(
        f"{f} seed {s} ({', '.join(without)})"
        for f, s in product(FUSIONS, seeds)
        if (without := [c for c in classes if (c, f, s) not in results])
    )
    lines = [
        f"{len(results)} runs; classes × fusions × seeds {seeds}; {EPOCHS} epochs, bf16-mixed; "
        f"missing: {missing or 'none'}.",
        "",
    ]
    for metric in ("image_auroc", "pixel_auroc", "au_pro"):
        name = {"image_auroc": "I-AUROC", "pixel_auroc": "P-AUROC", "au_pro": "AU-PRO"}[metric]
        lines += [f"## {name}: mean over seeds (lowest to highest seed)", ""]
        lines += ["| class | " + " | ".join(FUSIONS) + " |", "|---|" + "---|" * len(FUSIONS)]
        rows = {c: [values(results, c, f, seeds, metric) for f in FUSIONS] for c in classes}
        lines += [f"| {c} | " + " | ".join(map(cell, row)) + " |" for c, row in rows.items()]
        first = [[row[i][0] for row in rows.values() if row[i]] for i in range(len(FUSIONS))]
        means = [f"**{statistics.fmean(v):.3f}**" if len(v) == len(classes) else "–" for v in first]
        lines += [f"| **mean, seed {seeds[0]}** | " + " | ".join(means) + " |", ""]
    lines += ["## attention against the others, paired over captures (I-AUROC; scores averaged over common seeds)", ""]
    lines += ["| class | against | seeds | difference | 95 % interval | p |", "|---|---|---|---|---|---|"]
    for c in classes:
        for other in ["mean", *SINGLES]:
            common = [s for s in seeds if (c, other, s) in results and (c, "attention", s) in results]
            if common:
                difference, low, high, p = paired_difference(*scores(results, c, "attention", other, common))
                lines.append(
                    f"| {c} | {other} | {len(common)} | {difference:+.3f} | {low:+.3f} to {high:+.3f} | {p:.3f} |"
                )
    lines += ["", "## Loss: eq. 5 per position against the flattened form (mean fusion)", ""]
    lines += ["| class | seed | per position | flattened |", "|---|---|---|---|"]
    for c, f, s in sorted(results):
        if f == "mean, flat loss":
            both = [results[c, name, s]["image_auroc"] for name in ("mean", f)]
            lines.append(f"| {c} | {s} | {both[0]:.3f} | {both[1]:.3f} |")
    return "\n".join([*lines, ""])


def values(results: dict, category: str, fusion: str, seeds: list[int], metric: str) -> list[float]:
    return [results[category, fusion, s][metric] for s in seeds if (category, fusion, s) in results]


def cell(values: list[float]) -> str:
    if not values:
        return "–"
    spread = f" ({min(values):.3f}–{max(values):.3f})" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.3f}{spread}"


def scores(results: dict, category: str, a: str, b: str, seeds: list[int]) -> tuple[list, list, list]:
    """Labels, and each method's score per capture as a mean over seeds of its z-score."""

    def averaged(fusion: str) -> list[float]:
        runs = [[c["score"] for c in results[category, fusion, s]["captures"]] for s in seeds]
        z = [[(x - statistics.fmean(run)) / statistics.stdev(run) for x in run] for run in runs]
        return [statistics.fmean(column) for column in zip(*z, strict=True)]

    labels = [c["anomalous"] for c in results[category, a, seeds[0]]["captures"]]
    return labels, averaged(a), averaged(b)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    runner = commands.add_parser("run")
    runner.add_argument("data", type=Path)
    runner.add_argument("--classes", type=lambda s: s.split(","), default=[])
    runner.add_argument("--seeds", type=lambda s: [int(x) for x in s.split(",")], default=SEEDS)
    runner.add_argument("--fusions", type=lambda s: s.split(","), default=FUSIONS)
    runner.add_argument("--loss", default="position")
    commands.add_parser("table")
    options = parser.parse_args()
    if options.command == "run":
        run(options.data, options.classes, options.seeds, options.fusions, options.loss)
    else:
        TABLE.write_text(f"# Fusions compared on rendered captures\n\n{table()}", encoding="utf-8")
        print(TABLE)

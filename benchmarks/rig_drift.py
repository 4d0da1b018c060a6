"""Is the drift of a whole rig noticed: false notes, notes on single captures, captures until the averages signal.

    afrd render DATA --classes Confetto,ChocolateCookie,GummyBear --train 32 --val 0 --test 40 --size 128 --seed 3 \
        --no-camera
    python benchmarks/rig_drift.py DATA/Confetto DATA/ChocolateCookie DATA/GummyBear TILE \
        --verdicts DATA/Confetto --out benchmarks/results/rig_drift.json

Each folder: `train` to learn from, its good and bad test captures to judge. A rendered one is taken as it is and
photographed by a station's camera (`afrd.render.camera`), training and test. Sequences are drawn with replacement from
the good test captures: 40 as they are, then disturbed ones; ten sequences each. A ramp grows over 200 captures. False
signals are counted over 40 splits of all good captures, the ones not learned from each once. With
`--verdicts` a joint model is trained on that folder, and its verdicts stand beside the notes.
"""

import argparse
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from afrd import Inspector, TrainConfig, open_dataset, train
from afrd.capture import Capture
from afrd.datasets import CaptureSet
from afrd.disturb import Disturbance, disturb_capture
from afrd.files import write_text
from afrd.render.camera import photograph
from afrd.render.colour import to_linear
from afrd.rig import RigMeasurement, RigMonitor, RigReference, measure_rig
from afrd.rig.words import QUANTITIES

DISTURBANCES = {
    "none": None,
    "noise:1": "noise", "noise:2": "noise",
    "gain:0.95": "brightness", "gain:0.9": "brightness", "gain:0.8": "brightness",
    "blur:0.4": "sharpness", "blur:0.7": "sharpness",
    "jpeg:95": "blocks", "jpeg:90": "blocks",
    "warm:0.03": "colour", "warm:-0.03": "colour",
    "hot:1": None,
}  # fmt: skip
RAMPS = {"gain": (1.0, 0.8), "noise": (0.0, 2.0), "blur": (0.0, 0.7)}
STEPS, RAMP = 10, 200
BEFORE, AFTER, SEQUENCES, SPLITS = 40, 100, 10, 40
INVERTED = ("bottom", "top"), ("right", "left")  # opposite spots, exchanged: what an inverted relief looks like


def disturbed(capture: Capture, name: str) -> Capture:
    """By `afrd.disturb`; warm is red against blue, rounded by chance, as the pictures were rounded once."""
    kind, _, strength = name.partition(":")
    if kind == "none" or (kind == "blur" and float(strength) < 0.1):
        return capture
    if kind != "warm":
        return disturb_capture(capture, Disturbance.parse(name))
    rng = np.random.default_rng(sum(capture.id.encode()))
    factors = np.array([1 + float(strength) / 2, 1, 1 - float(strength) / 2])[:, None, None]
    images = np.floor(capture.images * factors + rng.uniform(size=capture.images.shape))
    return replace(capture, images=np.clip(images, 0, 255).astype(np.uint8))


def photographed(capture: Capture) -> Capture:
    """By a camera of a station: noise, vignetting, defocus, drift, JPEG."""
    linear = to_linear(capture.images.transpose(0, 2, 3, 1) / 255)
    rng = np.random.default_rng([7, *capture.id.encode()])
    pictures = photograph(dict(zip(capture.lights.names, linear, strict=True)), rng)
    images = np.stack([pictures[name] for name in capture.lights.names]).transpose(0, 3, 1, 2)
    return replace(capture, images=np.ascontiguousarray(images))


class Bench:
    """One set of captures: what training's rig is like, and the deviations of its good test captures."""

    def __init__(self, folder: Path, change: Callable[[Capture], Capture]) -> None:
        split, test = parts(folder)
        learned = [measure_rig(change(c).images) for c in split]
        self.reference = RigReference.learn(learned)
        test = [change(c) for c in test]
        self.good, self.bad = ([c for c in test if c.anomalous == bad] for bad in (False, True))
        self.all_good = [*learned, *(measure_rig(c.images) for c in self.good)]
        self.rng = np.random.default_rng(0)

    def result(self) -> dict:
        bad = [note for c in self.bad if (note := self.notes(measure_rig(c.images)))]
        rows = {}
        for name, quantity in DISTURBANCES.items():
            measured = [measure_rig(disturbed(c, name).images) for c in self.good]
            deviations = np.stack([self.reference.deviations(m) for m in measured])
            if name == "none":
                self.as_they_are = deviations
            notes = Counter(kind(note) for m in measured for note in self.notes(m))
            rows[name] = {
                "noted": sum(bool(self.notes(m)) for m in measured) / len(measured),
                "notes": notes,
                "size": dict(zip(QUANTITIES, deviations[:, :, 0].mean(0).round(4).tolist(), strict=True)),
                "captures until": self.delays(deviations, quantity) if quantity else None,
            }
        return {
            "captures": {"train": self.reference.captures, "good": len(self.good), "bad": len(self.bad)},
            "spreads": dict(zip(QUANTITIES, (s[0] for s in self.reference.spreads), strict=True)),
            "limits": dict(zip(QUANTITIES, self.reference.limits, strict=True)),
            "false notes": {"good": rows["none"]["noted"], "bad": len(bad) / len(self.bad), "which": bad},
            "in order": self.in_order(),
            "disturbances": rows,
            "ramps": {name: self.ramp(name, *ends) for name, ends in RAMPS.items()},
        }

    def notes(self, measured: RigMeasurement) -> tuple[str, ...]:
        return self.reference.notes(measured, self.reference.deviations(measured))

    def in_order(self) -> dict:
        """Signals while nothing changes: good captures split anew, as many to learn from, the others come once each."""
        signals, captures = Counter(), 0
        for _ in range(SPLITS):
            order = self.rng.permutation(len(self.all_good))
            n = self.reference.captures
            reference = RigReference.learn([self.all_good[i] for i in order[:n]])
            monitor = RigMonitor(reference)
            for i in order[n:]:
                begun = monitor.add(reference.deviations(self.all_good[i]), "c")
                signals.update(f"{d.quantity}, {'rig' if d.light is None else 'a light'}" for d in begun)
                captures += 1
        return {"captures": captures, "signals": signals}

    def delays(self, deviations: np.ndarray, quantity: str) -> list[int | None]:
        """Disturbed captures until the rig's quantity signals, per sequence; None: not within 100."""
        return [self.delay(deviations, quantity) for _ in range(SEQUENCES)]

    def delay(self, deviations: np.ndarray, quantity: str) -> int | None:
        monitor = RigMonitor(self.reference)
        for _ in range(BEFORE):
            monitor.add(self.drawn(self.as_they_are), "before")
        for count in range(1, AFTER + 1):
            monitor.add(self.drawn(deviations), f"{count}")
            if any(d.quantity == quantity and d.light is None for d in monitor.drifts):
                return count
        return None

    def ramp(self, kind: str, first: float, last: float) -> list[float | None]:
        """Strength reached when the rig's quantity signals, per sequence."""
        strengths = np.linspace(first, last, STEPS + 1)[1:].round(4)
        levels = [
            np.stack([self.reference.deviations(measure_rig(disturbed(c, f"{kind}:{s}").images)) for c in self.good])
            for s in strengths
        ]
        quantity = DISTURBANCES[f"{kind}:{({'gain': '0.8', 'noise': '2', 'blur': '0.7'})[kind]}"]
        return [self.reached(levels, strengths, quantity) for _ in range(SEQUENCES)]

    def reached(self, levels: Sequence[np.ndarray], strengths: np.ndarray, quantity: str) -> float | None:
        monitor = RigMonitor(self.reference)
        for count in range(BEFORE + RAMP):
            level = (count - BEFORE) * STEPS // RAMP
            monitor.add(self.drawn(self.as_they_are if level < 0 else levels[level]), f"{count}")
            if level >= 0 and any(d.quantity == quantity and d.light is None for d in monitor.drifts):
                return float(strengths[level])
        return None

    def drawn(self, deviations: np.ndarray) -> np.ndarray:
        return deviations[self.rng.integers(len(deviations))]


def parts(folder: Path) -> tuple[CaptureSet, CaptureSet]:
    """Training and test captures of a folder of one's own, or of a class in the Eyecandies layout."""
    if (folder / "test_public").is_dir():
        return tuple(open_dataset(folder.parent, folder.name, split) for split in ("train", "test_public"))
    return tuple(open_dataset(folder, None, split) for split in ("train", "test"))


def kind(note: str) -> str:
    """A note without its figures."""
    words = ("darker", "brighter", "warmer", "colder", "blurred", "sharper", "noise", "JPEG", "pixel at")
    return next(word for word in words if word in note)


def verdicts(folder: Path) -> dict:
    """Verdicts on the good test captures under each disturbance, and how many of them carry a note on the rig."""
    split, test = parts(folder)
    good = [c for c in test if not c.anomalous]
    with TemporaryDirectory() as out:
        size = 32 * round(split[0].size[0] / 32)
        train(split, Path(out) / "run", TrainConfig(image_size=size, false_alarm_rate=0.2))
        inspector = Inspector.load(Path(out) / "run")
        lenient = Inspector.load(Path(out) / "run", on_light_fault="leave-out")
        rows = {}
        for name in DISTURBANCES:
            answers = [inspector.inspect_capture(disturbed(c, name)) for c in good]
            rows[name] = Counter(a.verdict for a in answers) | {"noted": sum(bool(a.rig_notes) for a in answers)}
        names = list(test.lights.names)
        order = list(range(len(names)))
        for pair in INVERTED:
            i, j = map(names.index, pair)
            order[i], order[j] = j, i
        for name, inspect in (("inverted", inspector), ("inverted, leave-out", lenient)):
            answers = [inspect.inspect(c.images[order], c.id) for c in good]
            rows[name] = Counter(a.verdict for a in answers) | Counter(f"would be {a.would_be}" for a in answers)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--verdicts", type=Path, help="one of the folders")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    sets = {}
    for folder in args.folders:
        sets[folder.name] = Bench(folder, lambda capture: capture).result()
        if (folder / "test_public").is_dir():
            sets[f"{folder.name}, photographed"] = Bench(folder, photographed).result()
        write_text(args.out, json.dumps({"sets": sets}, indent=1) + "\n")
    result = {"sets": sets, "verdicts": verdicts(args.verdicts) if args.verdicts else None}
    write_text(args.out, json.dumps(result, indent=1) + "\n")
    print_tables(result)


def print_tables(result: dict) -> None:
    sets = result["sets"]
    print("| | " + " | ".join(sets) + " |\n|" + "---|" * (len(sets) + 1))
    for label, key in (("good", "good"), ("bad", "bad")):
        print(f"| false notes, {label} | " + " | ".join(f"{s['false notes'][key]:.3f}" for s in sets.values()) + " |")
    signals = [f"{sum(s['in order']['signals'].values())} in {s['in order']['captures']}" for s in sets.values()]
    print("| false signals | " + " | ".join(signals) + " |")
    for name, quantity in DISTURBANCES.items():
        cells = []
        for s in sets.values():
            row = s["disturbances"][name]
            until = [AFTER + 1 if d is None else d for d in row["captures until"] or []]
            middle = f"; {np.median(until):.0f}".replace(f"{AFTER + 1}", f"> {AFTER}") if quantity else ""
            cells.append(f"{row['noted']:.2f}{middle}")
        print(f"| {name} | " + " | ".join(cells) + " |")
    for name in RAMPS:
        reached = [[r for r in s["ramps"][name] if r is not None] for s in sets.values()]
        print(f"| ramp {name} | " + " | ".join(f"{np.median(r):.3g}" if r else "–" for r in reached) + " |")
    for name, row in (result["verdicts"] or {}).items():
        print(name, dict(row))


if __name__ == "__main__":
    main()

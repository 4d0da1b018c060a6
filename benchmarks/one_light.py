"""Which light showed it: the light that the joint Gaussian names, on defects that are seen under one spot only.

    python benchmarks/one_light.py DATA --classes A B C --work WORK --out benchmarks/results/one_light.json

DATA as `afrd render` writes it (train to fit, val for the threshold). An object is rendered without a defect and, all
else equal, with one of each kind. A composed capture takes spot k from the defective object and all other lights from
the good one; "all spots" is the sum of the spots in linear light, so it shows the defect too, weaker; naming it is
wrong. A (pair, spot) counts if the spot's two pictures differ visibly inside the mask. Where the good object alarms
already, the verdict is not owed to the defect: it is also counted without these objects. Beside them the defective
objects as they are, under all lights, and a physical one-sided case, the facet: a shallow saw tooth whose steep side
faces one spot; right is there the light whose picture has changed most in the mask, in the mean.
WORK keeps pairs, runs and what the model read, so that the script goes on where it was stopped.

Evidence of light k in variants, at the peak of the map (x is the vector there less the mean, C the covariance, P its
inverse, r = P_kk⁻¹ P_k x what the other lights do not explain of k, D a light's channels); the largest is named:
    conditional   rᵀ P_kk r / D: Mahalanobis distance of k given all others
    marginal      x_kᵀ C_kk⁻¹ x_k / D; relative: over its mean at random places of val
    common unit   rᵀ C̄⁻¹ r / D, where C̄ is the mean of all lights' C_kk; channels: of its diagonal only
    own unit      rᵀ C_kk⁻¹ r / D
    …, without all spots      of five lights: needs to know which light is the sum of others
    …, min over one left out  the least, given all others but one, whichever
    …, excess                 less its expectation on good parts, trace(C̄⁻¹ P_kk⁻¹) / D
    …, 3×3 and …, region      the mean over 3×3 places around the peak; over places above 0.8 of the peak
"""

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt

from afrd import TrainConfig, open_dataset, train
from afrd.checkpoint import load_model
from afrd.files import write_text
from afrd.model import JointGaussian
from afrd.render.defects import KINDS
from afrd.render.stage import LIGHTS
from one_light_pairs import ALL, KINDS_AND_FACET, SPOT_NUMBERS, VISIBLE, compose, render_pairs, save

NEAR = 12  # pixels from the mask
AROUND, MOST, RANDOM = 9, 24, 100  # places kept: around the peak, in the region at most, of a good part


def read(model: JointGaussian, images: np.ndarray, random: int | None = None) -> dict[str, np.ndarray]:
    """Score, peak [y, x] in pixels, light_weights, and vectors [places, N · D] less the mean: 3×3 around the peak, then
    the region; with `random`, a seed, places drawn from all instead of the region."""
    with torch.inference_mode():
        levels = model.extract(torch.from_numpy(images)[None])
        answer = model.judge(levels)
        vectors = (model.describe(levels) - model.mean[:, None, None])[0].movedim(0, -1).numpy()
    anomaly_map, last = answer.anomaly_map[0].numpy(), len(vectors) - 1
    peak = np.array(np.unravel_index(anomaly_map.argmax(), anomaly_map.shape))
    rows, columns = (np.clip(place // model.stride + np.arange(-1, 2), 0, last) for place in peak)
    centres = slice(model.stride // 2, None, model.stride)
    region = vectors[anomaly_map[centres, centres] > 0.8 * anomaly_map.max()][:MOST]
    if random is not None:
        every = vectors.reshape(-1, vectors.shape[-1])
        region = every[np.random.default_rng(random).permutation(len(every))[:RANDOM]]
    around = vectors[rows][:, columns].reshape(AROUND, -1)
    return {
        "score": answer.score.numpy(),
        "peak": peak,
        "weights": answer.light_weights[0].mean(0).numpy(),
        "vectors": np.concatenate([around, region if len(region) else around]),
    }


def read_pair(model: JointGaussian, folder: Path, kind: str, out: Path) -> list[dict]:
    """What the model makes of the composed captures of a pair, and of the defective one as it is (spot -1)."""
    good, pair = np.load(folder / "good.npz")["images"], np.load(folder / f"{kind}.npz")
    bad, mask = pair["images"], pair["mask"]
    distance = distance_transform_edt(~mask)
    mean = (np.abs(bad.astype(np.float32) - good) * mask).sum((1, 2, 3)) / mask.sum() / 3
    captures = []
    for k in [*(k for k in SPOT_NUMBERS if kind != "facet" and pair["change"][k] >= VISIBLE), -1]:
        path = out / f"{folder.name}-{kind}-{k}.npz"
        if not path.exists():
            save(path, **read(model, bad if k < 0 else compose(good, bad, k)))
        answer = dict(np.load(path))
        near = distance[tuple(answer["peak"])] <= NEAR
        captures.append({**answer, "spot": k, "kind": kind, "near": near, "mean": mean, "about": str(pair["about"])})
    return captures


def evidences(model: JointGaussian) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Per variant a function of vectors [places, N · D] to evidence [N, places]."""
    n, d = model.lights, model.channels
    covariance = model.covariance.double().numpy()
    blocks = [np.s_[k * d : (k + 1) * d] for k in range(n)]
    own = [covariance[b, b] for b in blocks]
    common = np.mean(own, 0)

    def residuals(present: Sequence[int]):
        """P_kk and P_kk⁻¹ P_k for each light, if there are only those that are `present`; and their rows."""
        rows = np.concatenate([np.arange(d) + k * d for k in present])
        precision = np.linalg.inv(covariance[np.ix_(rows, rows)])
        inner = {k: precision[b, b] for k, b in zip(present, blocks, strict=False)}
        maps = {k: np.linalg.solve(inner[k], precision[b]) for k, b in zip(present, blocks, strict=False)}
        return inner, maps, rows

    every = residuals(range(n))
    left_out = [residuals([k for k in range(n) if k != m]) for m in range(n)]
    metrics = {
        "conditional": every[0],
        "channels": [np.diag(1 / common.diagonal())] * n,
        "own unit": [np.linalg.inv(c) for c in own],
        "common unit": [np.linalg.inv(common)] * n,
    }

    def size(x, given, k, metric):
        if k not in given[1]:
            return np.full(len(x), -np.inf)
        r = given[1][k] @ x[:, given[2]].T
        return np.einsum("ij,ij->j", r, (given[0] if metric == "conditional" else metrics[metric])[k] @ r) / d

    def of_each(value):
        return lambda x: np.stack([value(x, k) for k in range(n)])

    def least(x, k, metric):
        return np.min([size(x, left_out[m], k, metric) for m in range(n) if m != k], 0)

    expected = [np.trace(metrics["common unit"][k] @ np.linalg.inv(every[0][k])) / d for k in range(n)]
    marginal = of_each(
        lambda x, k: np.einsum("ji,ij->j", x[:, blocks[k]], metrics["own unit"][k] @ x[:, blocks[k]].T) / d
    )
    variants = {"marginal": marginal}
    for metric in metrics:
        variants[metric] = of_each(lambda x, k, m=metric: size(x, every, k, m))
        variants[f"{metric}, without all spots"] = of_each(lambda x, k, m=metric: size(x, left_out[ALL], k, m))
        variants[f"{metric}, min over one left out"] = of_each(lambda x, k, m=metric: least(x, k, m))
    variants["common unit, excess"] = of_each(lambda x, k: size(x, every, k, "common unit") - expected[k])
    return variants


def named_lights(model: JointGaussian, captures: list[dict], good: list[dict]) -> None:
    """Adds to every capture `named`: per variant the light with the largest evidence."""
    counts = np.cumsum([len(c["vectors"]) for c in captures])[:-1]
    vectors = np.concatenate([c["vectors"] for c in captures])
    of_good = np.concatenate([c["vectors"][AROUND:] for c in good])
    for c in captures:
        c["named"] = {"light_weights of the model": int(c["weights"].argmax())}
    for name, evidence in evidences(model).items():
        values = np.split(evidence(vectors), counts, axis=1)
        typical = evidence(of_good).mean(1) if name == "marginal" else None
        for c, value in zip(captures, values, strict=True):
            peak = value[:, AROUND // 2]
            c["named"][name] = int(peak.argmax())
            c["named"][f"{name}, 3×3"] = int(value[:, :AROUND].mean(1).argmax())
            c["named"][f"{name}, region"] = int(value[:, AROUND:].mean(1).argmax())
            if typical is not None:
                c["named"]["marginal, relative"] = int((peak / typical).argmax())
            if name == "common unit":
                c["share"] = peak / peak.sum()


def share(hits: list[bool]) -> str:
    return f"{np.mean(hits):.3f} ({np.sum(hits)}/{len(hits)})" if hits else "none"


def summary(captures: list[dict]) -> dict:
    """Shares named right, per variant; by kind, class and spot for the plain variants only."""
    composed = [c for c in captures if c["spot"] >= 0]
    found = [c for c in composed if c["found"]]
    main_groups = {
        "all": composed,
        "found": found,
        "found, no alarm without the defect": [c for c in found if not c["alarms without"]],
        "found, peak at the defect": [c for c in found if c["near"]],
    }
    groups = {f"found, {kind}": [c for c in found if c["kind"] == kind] for kind in KINDS}
    for name in dict.fromkeys(c["class"] for c in composed):
        groups[f"found, {name}"] = [c for c in found if c["class"] == name]
        groups[f"found, no alarm without the defect, {name}"] = [
            c for c in found if c["class"] == name and not c["alarms without"]
        ]
        groups[f"found, peak at the defect, {name}"] = [c for c in found if c["class"] == name and c["near"]]
    result: dict = {}
    for variant in captures[0]["named"]:
        plain = "," not in variant
        result[variant] = {
            group: share([c["named"][variant] == c["spot"] for c in members])
            for group, members in (main_groups | groups if plain else main_groups).items()
        }
        if not plain:
            continue
        for k in SPOT_NUMBERS:
            named = Counter(LIGHTS[c["named"][variant]] for c in found if c["spot"] == k)
            result[variant][f"found, seen under {LIGHTS[k]}, named"] = dict(named.most_common())
        for kind in KINDS_AND_FACET:
            whole = [c for c in captures if c["spot"] < 0 and c["kind"] == kind and c["found"] and c["near"]]
            result[variant][f"{kind} under all lights, named the one that changed most"] = share(
                [c["named"][variant] == c["mean"].argmax() for c in whole]
            )
            result[variant][f"{kind} under all lights, named one that changed at least 0.7 times as much"] = share(
                [c["mean"][c["named"][variant]] >= 0.7 * c["mean"].max() for c in whole]
            )
    return result


def facets(captures: list[dict]) -> dict:
    """How much each light's picture changes in the mask of a facet, relative to the spot that it faces; medians."""
    change = defaultdict(list)
    for c in captures:
        if c["kind"] == "facet":
            change[c["about"]].append(c["mean"] / c["mean"][LIGHTS.index(c["about"])])
    return {spot: dict(zip(LIGHTS, np.median(v, 0).round(2).tolist(), strict=True)) for spot, v in change.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--classes", nargs="+", required=True)
    parser.add_argument("--objects", type=int, default=4, help="a class; each gives up to 16 composed captures")
    parser.add_argument("--seed", type=int, default=1, help="of the objects")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    captures, draws, invisible, alarms = [], [], 0, 0
    for name in args.classes:
        objects = args.work / "pairs" / f"seed-{args.seed}" / name
        for number in range(args.objects):
            render_pairs(objects / f"{number:03d}", name, number, args.seed)
        run = args.work / "runs" / name
        if not (run / "model.yaml").exists():
            good, held_out = (open_dataset(args.data, name, split) for split in ("train", "val"))
            train(good, run, TrainConfig(fusion="joint"), holdout=held_out, resume=True)
        model, card = load_model(run)
        out = args.work / "read" / f"{card.trained_digest[:12]}-seed-{args.seed}"
        here = []
        for number in range(args.objects):
            folder = objects / f"{number:03d}"
            path = out / f"{number:03d}-good.npz"
            if not path.exists():
                save(path, score=read(model, np.load(folder / "good.npz")["images"])["score"])
            alarming = bool(np.load(path)["score"][0] > card.threshold)
            alarms += alarming
            for kind in KINDS_AND_FACET:
                here += [c | {"alarms without": alarming} for c in read_pair(model, folder, kind, out)]
                draws.append(int(np.load(folder / f"{kind}.npz")["draws"]))
                if kind != "facet":
                    invisible += int((np.load(folder / f"{kind}.npz")["change"][SPOT_NUMBERS] < VISIBLE).sum())
        of_val = [read(model, c.images, i) for i, c in enumerate(open_dataset(args.data, name, "val"))]
        named_lights(model, here, of_val)
        for c in here:
            del c["vectors"]
            c |= {"found": float(c["score"][0]) > card.threshold, "class": name}
        captures += here
        print(name, summary(here)["common unit"]["found"], flush=True)
    composed = [c for c in captures if c["spot"] >= 0]
    result = {
        "command": f"python benchmarks/one_light.py DATA --classes {' '.join(args.classes)} --objects {args.objects} "
        f"--seed {args.seed} --work WORK --out OUT",
        "lights": LIGHTS,
        "visible from, grey levels": VISIBLE,
        "pairs": len(draws),
        "draws": sum(draws),
        "spots of pairs not visible, left out": invisible,
        "composed captures": len(composed),
        "good objects that alarm already": alarms,
        "found": sum(c["found"] for c in composed),
        "found, no alarm without the defect": sum(bool(c["found"] and not c["alarms without"]) for c in composed),
        "found, peak at the defect": sum(bool(c["found"] and c["near"]) for c in composed),
        "median share of the right light, common unit, found": round(
            float(np.median([c["share"][c["spot"]] for c in composed if c["found"]])), 3
        ),
        "median share of the right light, light_weights, found": round(
            float(np.median([c["weights"][c["spot"]] for c in composed if c["found"]])), 3
        ),
        "change of pictures by facets, relative to the spot faced": facets(captures),
        "named right": summary(captures),
    }
    write_text(args.out, json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    for variant, of in result["named right"].items():
        print(f"{variant:32}", *(of[g] for g in list(of)[:4]))


if __name__ == "__main__":
    main()

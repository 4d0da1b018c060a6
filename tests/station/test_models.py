"""Versions: learned from reviewed parts, compared, in shadow, activated; and what a killed training leaves."""

import hashlib
import io
import time
import zipfile

import numpy as np
import pytest
import yaml

from afrd import Inspector
from afrd.datasets.images import decode
from afrd.station.snapshot import read_snapshot, write_snapshot
from captures import make_capture
from station_process import StationProcess, uploads

LIGHTS = ("left", "right", "top")
REVIEWED = {0: "good", 1: "good", 2: "defect", 3: "good", 5: "defect"}


@pytest.fixture(scope="module")
def station(artefact, parts, tmp_path_factory):
    """Has judged twelve parts, of which five were reviewed; knows the captures of its first model."""
    folder = tmp_path_factory.mktemp("models")
    file = folder / "station.yaml"
    file.write_text(yaml.safe_dump({"model": str(artefact), "training": str(artefact.parent / "data")}))
    station = StationProcess(file, folder / "data")
    station.file = file
    for k, files in enumerate(parts):
        station.post(files, f"part-{k}").raise_for_status()
    for k, label in REVIEWED.items():
        station.client.post(f"/api/captures/part-{k}/review", json={"label": label}).raise_for_status()
    yield station
    station.kill()


def idle(station: StationProcess) -> str:
    """The words of the newest job, once it has ended."""
    while "hx-get" in (text := station.client.get("/models/job").text):
        time.sleep(0.2)
    return text


@pytest.fixture(scope="module")
def trained(station):
    """The folder of a version that was trained from the page, and was then asked about all reviewed parts."""
    assert station.client.post("/models/train").status_code == 303
    again = station.client.post("/models/train")
    assert (again.status_code, "wait until it has ended" in again.text) == (422, True)
    assert "it is done" in idle(station)
    (folder,) = (station.data / "models").iterdir()
    return folder


def test_a_version_lists_what_it_learned_from_with_digests(station, trained, artefact):
    rows = read_snapshot(trained / "snapshot.parquet")
    assert (trained / "snapshot.parquet").stat().st_mode & 0o222 == 0
    roles = {}
    for row in rows:
        roles.setdefault(row["role"], []).append(row["id"])
    assert roles["known defect"] == ["part-2", "part-5"]
    assert {"part-0", "part-1", "part-3"} <= set(roles["learned from"])
    assert len(roles["learned from"]) == 12 + 3  # with those of the first model
    assert len(roles["held out"]) == 6
    for row in rows:
        digest = hashlib.sha256()
        for light, name in zip(row["lights"], row["files"], strict=True):
            content = (station.data / name).read_bytes()
            digest.update(f"{light}\0{len(content)}\0".encode() + content)
        assert row["digest"] == digest.hexdigest()
        if row["id"].startswith("part-"):
            assert row["digest"] == station.client.get(f"/api/captures/{row['id']}").json()["digest"]
    card = Inspector.load(trained).card
    assert (card.captures, card.holdout_parts) == (15, 6)
    number = _number(station, trained.name)
    page = station.client.get(f"/models/{number}").text
    assert "15 learned from" in page
    listed = station.client.get(f"/models/{number}/snapshot.parquet")
    assert listed.content == (trained / "snapshot.parquet").read_bytes()
    assert hashlib.sha256(listed.content).hexdigest()[:16] in page


def test_it_was_asked_about_every_reviewed_part_and_changed_no_verdict(station, trained, parts):
    inspector = Inspector.load(trained)
    stopped = {k: _inspect(inspector, parts[k]).verdict != "good" for k in REVIEWED}
    page = station.client.get(f"/models/{_number(station, trained.name)}").text
    good = [k for k, label in REVIEWED.items() if label == "good"]
    assert f"Of 3 good parts it stops {sum(stopped[k] for k in good)}" in page
    assert f"of 2 defects it misses {sum(not stopped[k] for k in (2, 5))}" in page
    assert all(each["model"].startswith("model@") for each in station.client.get("/api/captures").json())


def test_in_shadow_it_judges_beside_the_active_one_also_after_a_restart(station, trained, parts, artefact):
    number = _number(station, trained.name)
    assert station.client.post(f"/models/{number}/shadow").status_code == 303
    before = {k: station.post(parts[k], f"shadowed-{k}").json() for k in range(4)}
    assert all(answer["model"].startswith("model@") for answer in before.values())
    _until_seen(station, number, 5 + 4)
    station.end()
    again = StationProcess(station.file, station.data)
    station.__dict__.update(again.__dict__ | {"file": station.file})
    station.post(parts[4], "after-a-restart").raise_for_status()
    text = _until_seen(station, number, 5 + 5)
    inspector = Inspector.load(trained)
    both = sum(
        (_inspect(inspector, parts[k]).verdict == "good")
        == (station.client.get(f"/api/captures/{id}").json()["verdict"] == "good")
        for id, k in [
            *((f"part-{k}", k) for k in REVIEWED),
            *((f"shadowed-{k}", k) for k in range(4)),
            ("after-a-restart", 4),
        ]
    )
    counts = [int(text.split(f"{words}</th><td>")[1].split("<")[0]) for words in ("both pass", "both stop")]
    assert sum(counts) == both
    assert station.client.post("/models/1/shadow").status_code == 422  # it judges already


def test_activated_it_judges_and_leaves_the_shadow(station, trained, parts):
    number = _number(station, trained.name)
    station.client.post(f"/models/{number}/activate")
    answer = station.post(parts[6]).json()
    assert answer["model"].startswith(f"{trained.name}@")
    assert answer["score"] == pytest.approx(_inspect(Inspector.load(trained), parts[6]).score, rel=1e-4)
    assert "In shadow" not in station.client.get("/models").text
    station.client.post("/models/1/activate")
    assert station.post(parts[6], "rolled-back").json()["model"].startswith("model@")


def test_it_grows_by_what_it_wrongly_stopped(station, trained, parts):
    assert station.client.post("/models/grow").status_code == 422  # the first model keeps no moments
    station.client.post(f"/models/{_number(station, trained.name)}/activate")
    assert "nothing to add" in station.client.post("/models/grow").text
    station.client.post("/threshold", data={"threshold": "0.001", "reason": "to stop all"})
    for k in (0, 1):
        assert station.post(parts[k], f"stopped-{k}").json()["verdict"] == "anomalous"
        station.client.post(f"/api/captures/stopped-{k}/review", json={"label": "good"}).raise_for_status()
    # part 0 and 1 were learned from already; only what is new is added
    station.post(parts[7], "stopped-7").raise_for_status()
    station.client.post("/api/captures/stopped-7/review", json={"label": "good"})
    assert "Add these 1 parts" in station.client.get("/models").text
    assert station.client.post("/models/grow").status_code == 303
    assert "it is done" in idle(station)
    (grown,) = (station.data / "models").glob("grown-*")
    before, after = (read_snapshot(folder / "snapshot.parquet") for folder in (trained, grown))
    assert after[:-1] == before
    assert (after[-1]["id"], after[-1]["role"]) == ("stopped-7", "learned from")
    inspector = Inspector.load(grown)
    assert inspector.card.captures == Inspector.load(trained).card.captures + 1
    station.client.post(f"/models/{_number(station, grown.name)}/activate")
    assert station.post(parts[7]).json()["model"].startswith("grown-")
    assert "0 parts were stopped and then reviewed as good since" in station.client.get("/models").text
    station.client.post("/models/1/activate")


@pytest.mark.parametrize("change", ["removed", "another"])
def test_a_list_of_captures_that_is_not_the_one_written_is_told_and_nothing_is_built_on_it(station, trained, change):
    """A list that is gone must not look as if the version had learned nothing: parts would be added twice."""
    number, path = _number(station, trained.name), trained / "snapshot.parquet"
    station.client.post(f"/models/{number}/activate")
    whole, rows = path.read_bytes(), read_snapshot(path)
    path.unlink()
    if change == "another":
        write_snapshot(path, rows[1:])
    for asked in (f"/models/{number}", f"/models/{number}/snapshot.parquet"):
        answer = station.client.get(asked)
        assert answer.status_code == 422 and "restore it" in answer.text and str(path) in answer.text
    assert "restore it" in station.client.post("/models/grow").text
    models = station.client.get("/models")
    assert models.status_code == 200 and "What it learned from is not known" in models.text
    path.unlink(missing_ok=True)
    path.write_bytes(whole)
    assert station.client.get(f"/models/{number}").status_code == 200
    station.client.post("/models/1/activate")


@pytest.mark.slow
def test_a_training_that_is_killed_leaves_nothing(station, trained):
    before = {path.name for path in (station.data / "models").iterdir()}
    assert station.client.post("/models/train").status_code == 303
    while not list((station.data / "models").glob(".*")):
        time.sleep(0.05)
    station.kill()
    again = StationProcess(station.file, station.data)
    station.__dict__.update(again.__dict__ | {"file": station.file})
    text = station.client.get("/models").text
    assert "nothing new in that folder" in text
    while list((station.data / "models").glob(".*")):  # until the training notices that nobody listens
        time.sleep(0.05)
    assert {path.name for path in (station.data / "models").iterdir()} == before


def test_a_part_whose_images_were_changed_is_not_learned_from(station, trained):
    folder = next((station.data / "captures").glob("*/part-0"))
    content = (folder / "01.png").read_bytes()
    (folder / "01.png").write_bytes((folder / "00.png").read_bytes())
    station.client.post("/models/train")
    assert "not those that were judged" in idle(station)
    (folder / "01.png").write_bytes(content)


@pytest.mark.slow
def test_what_was_not_judged_or_badly_lit_is_not_learned_from_whatever_was_said_of_it(station, trained):
    """Images of another size would end every training; a dark light that was learned would be told no more."""
    larger, dark = (make_capture(np.random.default_rng(0), 3, size, False)[0] for size in (80, 64))
    dark[1] = 0
    assert station.post(uploads(larger, LIGHTS), "larger").status_code == 422
    assert station.post(uploads(dark, LIGHTS), "dark").json()["verdict"] == "light fault"
    assert station.client.get("/api/captures/larger").json()["verdict"] == "not judged"
    for id in ("larger", "dark"):
        station.client.post(f"/api/captures/{id}/review", json={"label": "good"}).raise_for_status()
    assert "2 reviewed parts are left out" in station.client.get("/models").text
    before = {path.name for path in (station.data / "models").iterdir()}
    assert station.client.post("/models/train").status_code == 303
    assert "it is done" in idle(station)
    (again,) = (p for p in (station.data / "models").iterdir() if p.name not in before)
    assert not {"larger", "dark"} & {row["id"] for row in read_snapshot(again / "snapshot.parquet")}
    assert _inspect(Inspector.load(again), uploads(dark, LIGHTS)).verdict == "light fault"
    archive = zipfile.ZipFile(io.BytesIO(station.client.get("/history/export.zip").content))
    assert not [name for name in archive.namelist() if "/larger/" in name or "/dark/" in name]
    left_out = archive.read("left-out.txt").decode()
    assert "larger: not judged: " in left_out
    assert "dark: light right: dark" in left_out


def test_too_few_good_parts_are_said_before_anything_starts(artefact, serve):
    station = serve(artefact)
    answer = station.client.post("/models/train")
    assert answer.status_code == 422
    assert "0 good parts to learn from" in answer.text


def _inspect(inspector, files):
    return inspector.inspect(np.stack([decode(content, light) for light, content in files.items()]))


def _number(station: StationProcess, name: str) -> int:
    text = station.client.get("/models").text
    return int(text.split(f'">{name}@')[0].rsplit("/models/", 1)[1])


def _until_seen(station: StationProcess, number: int, parts: int) -> str:
    while f"{parts} parts that another version judged" not in (text := station.client.get(f"/models/{number}").text):
        time.sleep(0.1)
    return text

"""A disk that is nearly full is told before it is full."""

import shutil

import pytest
from fastapi.testclient import TestClient

from afrd.station.app import create_app
from afrd.station.config import StationConfig
from afrd.station.service import Service


@pytest.mark.parametrize(("left", "words"), [(999e6, "999 MB left on the disk"), (2e9, None)])
def test_less_than_a_gigabyte_is_told_by_health_and_on_every_page(artefact, tmp_path, monkeypatch, left, words):
    """The disk is the one of the tests; what it says of itself is changed."""
    real = shutil.disk_usage
    monkeypatch.setattr(shutil, "disk_usage", lambda path: real(path)._replace(free=int(left)))
    service = Service(StationConfig(model=artefact, data=tmp_path / "data"))
    with TestClient(create_app(service), base_url="http://127.0.0.1:8080") as client:
        health = client.get("/healthz").json()
        assert health["status"] == ("degraded" if words else "ok")
        assert [words in problem for problem in health["problems"]] == ([True] if words else [])
        for page in ("live", "history", "review", "threshold", "models", "rig"):
            assert ("shorten retention" in client.get(f"/{page}").text) == bool(words), page

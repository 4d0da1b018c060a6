"""The example of docs/anomalib.md runs as it stands, with a tiny model in place of the default."""

import re
from pathlib import Path

import pytest

pytest.importorskip("anomalib")

from afrd import Inspector
from captures import write_folder

PAGE = Path(__file__).parents[2] / "docs" / "anomalib.md"


def test_the_example_that_answers_their_question_runs(tmp_path, monkeypatch, capsys):
    write_folder(tmp_path / "captures", {"train": {"good": 6}, "test": {"good": 2, "dent": 2}}, size=64)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    quick = 'MultiLight("nearest", settings={"image_size": 64, "patches": {"bank": 64, "places": 1000}}, '
    assert 'MultiLight("joint", ' in code
    monkeypatch.chdir(tmp_path)
    exec(code.replace('MultiLight("joint", ', quick), {})
    assert "image_AUROC" in (said := capsys.readouterr().out) and "tensor(" in said
    assert Inspector.load("runs/joint").card.fusion == "nearest"

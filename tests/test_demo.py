import pytest

from afrd.demo import CLASSES, FUSIONS, run_demo


@pytest.mark.slow
def test_the_demo_leaves_what_it_says_and_goes_on_where_it_stopped(tmp_path, capsys):
    small = {"counts": {"train": 4, "val": 2, "test": 6}, "size": 64, "epochs": 2}
    first = run_demo(tmp_path, **small)
    printed = capsys.readouterr().out
    for category in CLASSES:
        assert "</html>" in (tmp_path / "reports" / f"{category}.html").read_text()
        assert (tmp_path / "pictures" / f"{category}.png").stat().st_size > 10_000
        assert category in printed
    assert set(first) == {(category, name) for category in CLASSES for name in FUSIONS}
    model = tmp_path / "runs" / CLASSES[0] / "mean" / "model.safetensors"
    before = model.stat().st_mtime_ns
    again = run_demo(tmp_path, **small)
    assert model.stat().st_mtime_ns == before  # trained once
    assert {k: v.image_auroc for k, v in again.items()} == {k: v.image_auroc for k, v in first.items()}

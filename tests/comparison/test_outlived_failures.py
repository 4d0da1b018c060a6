"""What was finished stays, whatever becomes of the machine that made it or of what was to be added."""

from afrd.comparison.job import Job, Settings
from afrd.comparison.pools import Ended
from afrd.comparison.results import Store, read_results
from afrd.comparison.runner import run_comparison


class LateError:
    """One job at a time, in this process; then its machine fails, as Ray tells of it."""

    slots = 1

    def submit(self, function, *arguments):
        function(*arguments)
        return object()

    def wait(self, handles):
        return Ended(handles[0], "failed", "the node of the task was drained")

    def close(self):
        pass


def test_a_result_outlives_the_machine_that_made_it(tiny, tmp_path, one_thread):
    job, settings = Job("Confetto", "mean", "all", 0), Settings(epochs=1, image_size=64)
    assert run_comparison(tiny, [job], settings, tmp_path / "comparison", LateError) == []
    assert read_results(tmp_path / "comparison")[job]["status"] == "done"


class Dying(LateError):
    """Every process dies."""

    def submit(self, function, *arguments):
        return object()

    def wait(self, handles):
        return Ended(handles[0], None, None)


def test_finished_results_outlive_an_extension_whose_workers_die(tiny, tmp_path):
    jobs = [Job("Confetto", "rd", str(light), 0, ("jpeg:90",)) for light in range(6)]
    jobs.append(Job("Confetto", "late-mean", "all", 0, ("jpeg:90",)))
    store, settings = Store(tmp_path / "comparison"), Settings(image_size=64)
    store.open(settings)
    for job in jobs:
        store.write(job, {"status": "done", "image_auroc": 0.75, "disturbed": {"noise:2": {"image_auroc": 0.5}}})
    before = store.read()
    for _ in range(2):  # the second start asks for the same
        assert len(run_comparison(tiny, jobs, settings, store.folder, Dying)) == 7
        after = store.read()
        assert {job: row | {"error": None} for job, row in after.items()} == {
            job: row | {"error": None} for job, row in before.items()
        }
        assert "died 2 times" in after[jobs[0]]["error"] and "which failed" in after[jobs[-1]]["error"]

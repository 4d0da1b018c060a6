"""A comparison on a Ray cluster of several nodes, one of which is lost: the same results as without a cluster."""

import subprocess

import pytest
from test_runner import ancestors, command, scores, suite, wait_for, whole, working  # noqa: F401


@pytest.fixture
def cluster():
    """Its head computes nothing, so that jobs must go to the other two nodes, each with a Ray of its own."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    nodes = [made.add_node(num_cpus=1, include_dashboard=False) for _ in range(2)]
    yield made, nodes
    made.shutdown()


@pytest.mark.slow
def test_jobs_of_a_lost_node_are_run_on_another(cluster, whole, tiny, suite, tmp_path):  # noqa: F811
    made, nodes = cluster
    folder = tmp_path / "comparison"
    arguments = command(suite, tiny, folder, f"--ray={made.address}", "--threads=1")
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)
    raylet = nodes[0].all_processes["raylet"][0].process.pid
    wait_for(lambda: [pid for pid in working("ray::run_job") if raylet in ancestors(pid)], process)
    made.remove_node(nodes[0], allow_graceful=False)
    _, log = process.communicate()
    assert process.returncode == 0, log
    assert log.count("lost ") == 1
    assert log.count("done   Confetto") == 3
    assert scores(folder) == scores(whole)

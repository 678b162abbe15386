"""A Ray cluster that was there before: two nodes with a process of their own each, joined by an address."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from harness.adapters.optuna_search import OptunaProposer
from harness.adapters.ray_tune import RayTuner
from harness.study.journal import History, Journal
from harness.study.run import run_study
from harness.study.settings import Settings
from harness.testing.fakes import tiny_catalog
from harness.testing.scripted import CATALOG, RUN, scripted_plan

pytestmark = pytest.mark.slow

SLOW = {"quality": {"float": [0.1, 0.9]}, "epoch_s": 4.0}


@contextmanager
def node(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A node with one core, until it is left; all that it started ends with it."""
    command = [str(Path(sys.executable).with_name("ray")), "start", "--num-cpus=1", "--block", *arguments]
    environment = {**os.environ, "RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            started = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
            process.send_signal(signal.SIGTERM)
            _, alive = psutil.wait_procs(started, timeout=20)
            for one in alive:
                one.kill()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of a cluster of two nodes."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        place = f"127.0.0.1:{free.getsockname()[1]}"
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # the path of a socket in it may have 104 characters
    head = ("--head", f"--port={place.rpartition(':')[2]}", "--include-dashboard=false", f"--temp-dir={folder}")
    with node(*head):
        _wait(place, nodes=1)
        with node(f"--address={place}"):
            _wait(place, nodes=2)
            yield place
    shutil.rmtree(folder, ignore_errors=True)


def _wait(address: str, nodes: int) -> None:
    script = (
        "import ray, sys; ray.init(sys.argv[1], log_to_driver=False, logging_level=50); "
        "print(sum(node['Alive'] for node in ray.nodes()))"
    )
    environment = {**os.environ, "RAY_AUTH_MODE": "disabled"}
    for _ in range(20):
        done = subprocess.run(
            [sys.executable, "-c", script, address], env=environment, capture_output=True, text=True, check=False
        )
        if done.stdout.split()[-1:] == [str(nodes)]:
            return
        time.sleep(1)
    pytest.fail(f"no cluster of {nodes} nodes: {done.stdout}{done.stderr[-2000:]}")


def test_a_study_runs_on_both_nodes_of_a_cluster_and_leaves_it_running(address: str, tmp_path: Path) -> None:
    plan = scripted_plan({"a": SLOW, "b": SLOW}, trials=2, epochs=3, seeds=(0,))
    settings = Settings(data=tmp_path, results=tmp_path, cache=tmp_path / "cache", device="cpu", concurrent=2)
    proposer = OptunaProposer(f"sqlite:///{tmp_path / 'optuna.db'}")
    outcome = run_study(plan, settings, tiny_catalog(), RayTuner(RUN, CATALOG, address=address), proposer)
    events = Journal(tmp_path / plan.directory / "journal.jsonl").read()
    assert outcome.exit_code == 0
    assert {record.state for record in History.of(events).trials.values()} == {"complete"}
    assert len({event.data["pid"] for event in events if event.kind == "trial_started"}) == 2, "each node has one core"
    _wait(address, nodes=2)

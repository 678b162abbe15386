"""A Ray cluster that was there before, of two nodes: what a study started with its address makes of it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from harness.adapters.optuna.search import OptunaSampler
from harness.adapters.ray.tuner import RayTuner
from harness.config.settings import Settings
from harness.study.journal.journal import Event, Journal
from harness.study.journal.state import StudyState
from harness.study.run.run import Outcome, run_study
from harness.testing.fakes import tiny_catalog
from harness.testing.scripted import CATALOG, RUN, scripted_plan

pytestmark = pytest.mark.slow


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


@contextmanager
def cluster() -> Iterator[tuple[str, subprocess.Popen[bytes], subprocess.Popen[bytes]]]:
    """The address of a cluster of two nodes, its head, and the second node."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # the path of a socket in it may have 104 characters
    try:
        with node("--head", f"--port={port}", "--include-dashboard=false", f"--temp-dir={folder}") as head:
            _wait(f"127.0.0.1:{port}", nodes=1)
            with node(f"--address=127.0.0.1:{port}") as second:
                _wait(f"127.0.0.1:{port}", nodes=2)
                yield f"127.0.0.1:{port}", head, second
    finally:
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


def run(address: str, folder: Path) -> tuple[Outcome, list[Event]]:
    """A study of six trials, two at a time, of some twelve seconds each."""
    model = {"quality": {"float": [0.1, 0.9]}, "epoch_s": 4.0}
    plan = scripted_plan({"a": model, "b": model}, trials=2, epochs=3, seeds=(0,))
    settings = Settings(data=folder, results=folder, cache=folder / "cache", device="cpu", concurrent=2)
    sampler = OptunaSampler(f"sqlite:///{folder / 'optuna.db'}")
    outcome = run_study(plan, settings, tiny_catalog(), RayTuner(RUN, CATALOG, address=address), sampler)
    return outcome, Journal(next(folder.glob("scripted/*/journal.jsonl"))).read()


def workers(events: list[Event]) -> set[int]:
    """Of the trials begun."""
    return {event.data["pid"] for event in events if event.kind == "trial_started"}


def test_a_study_runs_on_both_nodes_of_a_cluster_and_leaves_it_running(tmp_path: Path) -> None:
    with cluster() as (address, _, _):
        outcome, events = run(address, tmp_path)
        _wait(address, nodes=2)
    assert outcome.exit_code == 0
    assert {record.state for record in StudyState.of(events).trials.values()} == {"complete"}
    assert len(workers(events)) == 2, "each node has one core"


def lose(node: subprocess.Popen[bytes], folder: Path) -> None:
    """Kill all of the node once both have begun a trial."""
    for _ in range(600):
        time.sleep(0.2)
        journal = next(folder.glob("scripted/*/journal.jsonl"), None)
        if journal and len(workers(Journal(journal).read())) == 2:
            break
    for process in [*psutil.Process(node.pid).children(recursive=True), node]:
        process.kill()


def test_a_study_whose_head_is_lost_is_paused_and_goes_on_with_another_cluster(tmp_path: Path) -> None:
    with cluster() as (address, head, _):
        loser = threading.Thread(target=lose, args=[head, tmp_path])
        loser.start()
        outcome, events = run(address, tmp_path)
        loser.join()
    assert outcome.exit_code == 3 and "the same command goes on" in outcome.message, outcome
    assert f"the Ray cluster at {address}" in outcome.message
    assert events[-1].kind == "study_paused"
    with cluster() as (address, _, _):
        outcome, events = run(address, tmp_path)
    assert outcome.exit_code == 0
    assert [record.state for record in StudyState.of(events).trials.values()] == 6 * ["complete"]


def test_a_trial_whose_node_is_lost_goes_on_at_another(tmp_path: Path) -> None:
    with cluster() as (address, _, second):
        loser = threading.Thread(target=lose, args=[second, tmp_path])
        loser.start()
        outcome, events = run(address, tmp_path)
        loser.join()
        _wait(address, nodes=1)
    (reason,) = [event.data["reason"] for event in events if event.kind == "trial_interrupted"]
    assert reason in ("its node has died", "its worker can no longer be reached"), "whichever Ray sees first"
    assert outcome.exit_code == 0
    assert [record.state for record in StudyState.of(events).trials.values()] == 6 * ["complete"]

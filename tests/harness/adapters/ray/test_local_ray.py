"""Ray on this machine alone: who can reach it, and what happens when its servers die."""

from __future__ import annotations

import ipaddress
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray

from harness.adapters.optuna.search import OptunaSampler
from harness.adapters.ray.tuner import RayTuner
from harness.config.settings import Settings
from harness.study.journal.journal import Journal
from harness.study.run.run import Outcome, run_study
from harness.testing.fakes import tiny_catalog
from harness.testing.scripted import CATALOG, RUN, scripted_plan

ALONE = {"quality": 0.5, "epoch_s": 0.2}
LONG = {"quality": 0.5, "epoch_s": 60.0}


def run(folder: Path, model: dict[str, Any], address: str = "") -> Outcome:
    plan = scripted_plan({"a": model}, trials=1, epochs=2, seeds=(0,))
    settings = Settings(data=folder, results=folder, cache=folder / "cache", device="cpu", concurrent=1)
    sampler = OptunaSampler(f"sqlite:///{folder / 'optuna.db'}")
    return run_study(plan, settings, tiny_catalog(), RayTuner(RUN, CATALOG, address=address), sampler)


class Running:
    """A run in a thread, from the start of its first trial."""

    def __init__(self, folder: Path, model: dict[str, Any]) -> None:
        self.outcomes: list[Outcome] = []
        self.thread = threading.Thread(target=lambda: self.outcomes.append(run(folder, model)))
        self.before = set(psutil.Process().children(recursive=True))
        self.thread.start()
        deadline = time.monotonic() + 90
        while not any(event.kind == "trial_started" for event in _events(folder)):
            assert self.thread.is_alive() and time.monotonic() < deadline, self.outcomes
            time.sleep(0.1)

    def processes(self) -> list[psutil.Process]:
        """All processes that the run has started and that are alive."""
        return [child for child in psutil.Process().children(recursive=True) if child not in self.before]

    def kill(self, name: str) -> None:
        (process,) = [process for process in self.processes() if process.name() == name]
        process.kill()

    def outcome(self, within_s: float) -> Outcome:
        self.thread.join(within_s)
        assert not self.thread.is_alive(), f"no end within {within_s:.0f} s"
        return self.outcomes[0]


def _events(folder: Path) -> list[Any]:
    return [event for path in folder.glob("scripted/*/journal.jsonl") for event in Journal(path).read()]


def _listening(processes: list[psutil.Process]) -> Iterator[tuple[str, str]]:
    """Yield process name and address of every TCP or UDP socket that others can send to."""
    for process in processes:
        for socket in process.net_connections():
            if socket.laddr and not socket.raddr and socket.status in (psutil.CONN_LISTEN, psutil.CONN_NONE):
                yield process.name(), socket.laddr.ip


def _is_loopback(text: str) -> bool:
    address = ipaddress.ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def test_a_local_run_listens_on_the_loopback_interface_alone_and_only_to_its_own_token(tmp_path: Path) -> None:
    running = Running(tmp_path, {**LONG, "epoch_s": 5.0})
    found = list(_listening(running.processes()))
    names = {name for name, _ in found}
    assert {"gcs_server", "raylet"} <= names
    assert not [(name, address) for name, address in found if not _is_loopback(address)]
    (raylet,) = [process for process in running.processes() if process.name() == "raylet"]
    (address,) = [part.partition("=")[2] for part in raylet.cmdline() if part.startswith("--gcs-address=")]
    said = _task_of_a_stranger(address)
    assert "41 + 1 = 42" not in said and "Authentication" in said, said
    assert running.outcome(within_s=90).exit_code == 0
    assert not running.processes()


def _task_of_a_stranger(address: str) -> str:
    """What another user of this machine sees who asks Ray to run a task."""
    script = (
        "import ray, sys; ray.init(sys.argv[1], logging_level=50); "
        "print('41 + 1 =', ray.get(ray.remote(num_cpus=0)(lambda: 42).remote(), timeout=20))"
    )
    environment = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": 64 * "0"}
    environment["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # it looks on the loopback interface
    command = [sys.executable, "-c", script, address]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90, check=False)
    return done.stdout + done.stderr


@pytest.mark.slow
def test_two_runs_of_one_process_have_different_tokens_and_both_end(tmp_path: Path) -> None:
    """As in a notebook where Ray was imported, and started, before."""
    ray.init(num_cpus=1, include_dashboard=False, logging_level="error")
    try:
        assert [run(tmp_path / name, ALONE).exit_code for name in ("first", "second")] == [0, 0]
        assert ray.get(ray.remote(num_cpus=0)(lambda: 42).remote()) == 42, "the user's own Ray is as it was"
    finally:
        ray.shutdown()


@pytest.mark.slow
def test_an_address_in_the_environment_is_not_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    assert run(tmp_path, ALONE).exit_code == 0


@pytest.mark.slow
@pytest.mark.parametrize("server", ["raylet", "gcs_server"])
def test_a_server_of_ray_that_dies_pauses_the_study_and_the_same_command_goes_on(tmp_path: Path, server: str) -> None:
    running = Running(tmp_path, {**LONG, "epoch_s": 8.0})
    running.kill(server)
    outcome = running.outcome(within_s=60)
    assert outcome.exit_code == 3 and "the same command goes on" in outcome.message, outcome
    assert f"{server} of Ray ended unexpectedly" in outcome.message
    assert not running.processes()
    assert [event.kind for event in _events(tmp_path)][-2:] == ["trial_interrupted", "study_paused"]


def test_a_cluster_that_does_not_answer_is_named(tmp_path: Path) -> None:
    began = time.monotonic()
    outcome = run(tmp_path, ALONE, address="127.0.0.1:9")
    assert outcome.exit_code == 3 and "no Ray cluster answers at 127.0.0.1:9 (ray_address" in outcome.message
    assert time.monotonic() - began < 30

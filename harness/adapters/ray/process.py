"""The driver's side of Ray's client process: starts it, answers it, watches it and Ray's servers, and ends both."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import psutil

from harness.adapters.ray.bridge import Bridge
from harness.contract.errors import MachineError
from harness.study.run.driver import Driver

START_S = 120.0
"""Seconds that Ray may take to start, or a cluster to answer."""
_END_S = 10.0
_POLL_S = 0.2
_SERVERS = ("raylet", "gcs_server")


class ClientProcess:
    """A process that runs one Ray experiment; use as a context, which ends it and all that it started.

    Args:
        environment: variables of the process, in addition to those of this one.
        folder: temporary folder of the run.
        address: of the cluster that it joins, or "" for servers of its own.
    """

    def __init__(self, environment: Mapping[str, str], folder: str, address: str) -> None:
        self._address, self._log = address, Path(folder, "client.log")
        self._servers: dict[str, psutil.Process] = {}
        self._started = False
        self._connection, other = Pipe()
        # RAY_ADDRESS of another cluster would be joined; the modules of this process are found from there as well.
        inherited = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
        inherited["PYTHONPATH"] = os.pathsep.join(os.path.abspath(folder) for folder in sys.path)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "harness.adapters.ray.client", str(other.fileno())],
                env={**inherited, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[other.fileno()],
                start_new_session=True,  # signals to the driver's group, such as Ctrl-C, do not reach Ray
            )
        other.close()

    def __enter__(self) -> ClientProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        _kill(self._process)

    def serve(self, driver: Driver, bridge: Bridge, order: Mapping[str, Any]) -> None:
        """Send the order and answer the process until its experiment has ended or the driver is to stop.

        Raises:
            MachineError: Ray does not start, its servers have ended, or the cluster is lost.
        """
        driver.remember(self._process.pid)
        self._connection.send(dict(order))
        began, ending = time.monotonic(), 0.0
        while True:
            if bridge.ending:
                ending = ending or time.monotonic()
                if not self._started or time.monotonic() - ending > _END_S:
                    return
            elif not self._started and time.monotonic() - began > START_S:
                raise MachineError(f"{self._name()} does not answer within {START_S:.0f} s{self._way_out()}")
            try:
                if not self._connection.poll(_POLL_S):
                    self._watch(bridge)
                    continue
                method, arguments = self._connection.recv()
            except (EOFError, ConnectionError):
                if not bridge.ending:
                    raise MachineError(self._lost()) from None
                return
            if method == "end":
                return
            self._answer(driver, bridge, method, arguments)

    def _answer(self, driver: Driver, bridge: Bridge, method: str, arguments: tuple[Any, ...]) -> None:
        value: Any = None
        if method == "fail":
            if not bridge.ending:
                raise MachineError(f"{self._name()} has failed: {arguments[0]}{self._way_out()}")
        elif method == "remember":
            self._started = True
            self._servers = _servers(arguments[0])
            driver.remember(*arguments[0])
        elif method == "is_ending":
            self._watch(bridge)  # at each step of Ray's loop, which may leave no pause between its messages
            value = bridge.ending
        else:
            value = getattr(bridge, method)(*arguments)
        with suppress(ConnectionError):  # seen as the end of the process
            self._connection.send(value)

    def _watch(self, bridge: Bridge) -> None:
        """Raise MachineError if a server of Ray has ended: the client would wait for it without end."""
        ended = [name for name, process in self._servers.items() if not process.is_running() or _is_zombie(process)]
        if ended and not bridge.ending:
            raise MachineError(f"{' and '.join(ended)} of Ray ended unexpectedly")

    def _lost(self) -> str:
        if self._address:
            return f"the Ray cluster at {self._address} is lost{self._way_out()}"
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return f"Ray's client process ended unexpectedly{': ' + lines[-1].strip() if lines else ''}"

    def _name(self) -> str:
        return f"the Ray cluster at {self._address}" if self._address else "Ray"

    def _way_out(self) -> str:
        return " (ray_address in harness.toml)" if self._address else ""


def _servers(pids: list[int]) -> dict[str, psutil.Process]:
    """Return Ray's servers among the processes, by name."""
    found: dict[str, psutil.Process] = {}
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            if (name := process.name()) in _SERVERS:
                found[name] = process
    return found


def _is_zombie(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    return True


def _kill(client: subprocess.Popen[bytes]) -> None:
    """Kill the client and its session: Ray's servers and workers, also those whose parent has ended."""
    members = []
    for process in psutil.process_iter():
        with suppress(ProcessLookupError, PermissionError):
            if os.getsid(process.pid) == client.pid:
                members.append(process)
    for process in members:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    client.wait()
    psutil.wait_procs(members, timeout=_END_S)

"""Memory that ran out: counters of the kernel and of the control group, peak and limit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
PROCESSES = Path("/proc")


@dataclass(frozen=True)
class Memory:
    """The kills for lack of memory so far, and how much is used.

    Args:
        kills: by the kernel or the control group, since the machine or group began.
        peak: bytes, 0 if it is unknown.
        limit: bytes, 0 if it is unknown.
    """

    kills: int
    peak: int
    limit: int

    @classmethod
    def now(cls, groups: Path = GROUPS, processes: Path = PROCESSES) -> Memory:
        """Read the counters; those that this machine lacks are 0."""
        group = groups / _own_group(processes)
        folder = group if (group / "memory.events").exists() else groups
        kills = _count(folder / "memory.events", "oom_kill") + _count(processes / "vmstat", "oom_kill")
        whole = _count(processes / "meminfo", "MemTotal:") * 1024
        limit = _number(folder / "memory.max") or whole
        used = whole - _count(processes / "meminfo", "MemAvailable:") * 1024
        return cls(kills, _number(folder / "memory.peak") or used, limit)

    def since(self, before: Memory) -> str:
        """Return a sentence if a process was killed for lack of memory since `before`, else ""."""
        return out_of_memory(self) if self.kills > before.kills else ""


def out_of_memory(memory: Memory) -> str:
    """Return that memory ran out, with peak, limit and what helps."""
    numbers = f": the peak was {_in_gb(memory.peak)} of {_in_gb(memory.limit)}" if memory.limit else ""
    return f"out of memory{numbers}; run fewer trials at a time (compute.concurrent) or a smaller train.batch_size"


def said_by_ray(reason: str) -> bool:
    """Return True if Ray's monitor of memory ended the worker."""
    return bool(re.search("(?i)out ?of ?memory|memory[ _](monitor|usage|pressure)|low on memory", reason))


def _own_group(processes: Path) -> str:
    lines = _text(processes / "self" / "cgroup").splitlines()
    return next((line.partition("::")[2].lstrip("/") for line in lines if line.startswith("0::")), "")


def _count(path: Path, name: str) -> int:
    rows = (line.split() for line in _text(path).splitlines())
    return next((int(row[1]) for row in rows if len(row) > 1 and row[0] == name), 0)


def _number(path: Path) -> int:
    text = _text(path).strip()
    return int(text) if text.isdecimal() else 0


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _in_gb(size: int) -> str:
    return f"{size / 1024**3:.1f} GB"

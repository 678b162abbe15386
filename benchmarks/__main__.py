"""The table of docs/benchmarks.md, measured on this machine by `make bench`; run it on an idle machine.

`python -m benchmarks start waiting models precision driver report checks architectures` measures only these parts;
`architectures` has a table of its own.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Args:
        what: the measured quantity.
        measured: the value with its unit, and both sides of a ratio.
        wanted: the target.
        met: True if the target is reached.
    """

    what: str
    measured: str
    wanted: str
    met: bool


def start() -> Iterator[Row]:
    """Measure the time to the first line of output, and to the end of an import."""
    from benchmarks.bench_start import command, importing

    plan = ("study", "plan", "gmic_ablation")
    measured = (("harness --help", command("--help"), 0.5), ("import harness", importing(), 0.2))
    for what, found, limit in (*measured, (f"harness {' '.join(plan)}", command(*plan), 2.0)):
        seconds = f"{found.seconds:.2f} s, {found.ratio:.1f}x `python -c pass`"
        yield Row(what, seconds, f"at most {limit:g} s", found.seconds <= limit)


def waiting() -> Iterator[Row]:
    """Measure the share of training that is spent waiting for data."""
    from benchmarks.bench_loader import WANTED
    from benchmarks.bench_loader import waiting as measure

    found = measure()
    share = f"{found.share:.2%} of {found.epoch_s:.1f} s"
    yield Row(
        "share of an epoch spent waiting for data, cache warm", share, f"at most {WANTED:.0%}", found.share <= WANTED
    )


def models() -> Iterator[Row]:
    """Measure GMIC at its published size, and the choice of its crops."""
    from benchmarks.bench_models import gmic_native, retrieve_roi_ratio

    for ratio in (retrieve_roi_ratio(), *gmic_native()):
        measured = f"{ratio.ratio:.1f}x ({ratio.plain:.4f} s to {ratio.ours:.4f} s)"
        yield Row(ratio.name, measured, f"at least {ratio.wanted:g}x", ratio.ratio >= ratio.wanted)


def precision() -> Iterator[Row]:
    """Measure the AUC lost by predicting in bf16."""
    from benchmarks.bench_bf16 import auc_lost

    lost = auc_lost()
    yield Row("test AUC lost by predicting in bf16, trained at quick", f"{lost:+.4f}", "at most .005", lost <= 0.005)


def driver() -> Iterator[Row]:
    """Measure the overhead of recording trials."""
    from benchmarks.bench_driver import driver_memory, trial_overhead

    found = trial_overhead()
    seconds = f"{found.median_s:.3f} s median, {found.mean_s:.3f} s mean of {found.trials}"
    what = "overhead per trial after the first: Ray, Optuna and MLflow on SQLite"
    yield Row(what, seconds, "at most 0.2 s", found.mean_s <= 0.2)
    grown = driver_memory()
    yield Row("driver memory, from 100 to 1,000 trials", f"{grown:+.1f} MB", "below +50 MB", grown < 50)


def report() -> Iterator[Row]:
    """Measure the time to draw a report."""
    from benchmarks.bench_report import WANTED_S, drawing

    seconds = drawing()
    what = "report of 1,000 trials, statistics cached, imports included"
    yield Row(what, f"{seconds:.1f} s", f"at most {WANTED_S:g} s", seconds <= WANTED_S)


def checks() -> Iterator[Row]:
    """Measure the share of training that is spent in the checks of what components return."""
    from benchmarks.bench_checks import WANTED, shares

    for found in shares():
        share = f"{found.share:.2%} of {found.whole_s:.3g} s"
        yield Row(f"checks of outputs: {found.name}", share, f"at most {WANTED:.0%}", found.share <= WANTED)


PARTS: tuple[Callable[[], Iterator[Row]], ...] = (start, waiting, models, precision, driver, report, checks)


def main(words: list[str]) -> int:
    """Measure and print; return 1 if a target is missed."""
    from rich.console import Console

    from benchmarks.bench_architectures import CASES, WANTED, cost, table

    console = Console(width=None if sys.stdout.isatty() else 160)
    rows = [row for part in PARTS if not words or part.__name__ in words for row in part()]
    met = all(row.met for row in rows)
    if rows:
        console.print(_table(rows))
    if not words or "architectures" in words:
        costs = [cost(case) for case in CASES]
        console.print(table(costs))
        met = met and all(row.ratio <= WANTED for row in costs)
    return 0 if met else 1


def _table(rows: list[Row]) -> Any:
    from rich.table import Table

    from benchmarks.bench_models import bf16_support

    load = f"load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    title = f"{os.cpu_count()} cores, {platform.machine()}, bf16 support: {bf16_support()}; {load} at the end"
    found = Table(title=title)
    for column in ("what", "measured", "wanted", "reached"):
        found.add_column(column)
    for row in rows:
        found.add_row(row.what, row.measured, row.wanted, "yes" if row.met else "no")
    return found


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

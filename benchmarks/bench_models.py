"""Speed of models: GMIC at its published size, and the choice of its crops.

`python -m benchmarks.bench_models` prints a table. Each ratio is of medians in one run, with both sides in turn, so
that a busy machine affects both alike.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

THREADS = min(2, os.cpu_count() or 1)


@dataclass(frozen=True)
class Ratio:
    """The speed of `ours` relative to `plain`, and the target.

    Args:
        name: what was timed.
        plain: median seconds of the plain code.
        ours: median seconds of our code.
        wanted: the least ratio on an idle machine.
    """

    name: str
    plain: float
    ours: float
    wanted: float

    @property
    def ratio(self) -> float:
        """Time of `plain`, divided by that of `ours`."""
        return self.plain / self.ours


def retrieve_roi_ratio(repeats: int = 50) -> Ratio:
    """Compare a whole batch with a loop over samples: 16 maps of 46x30, K = 6."""
    import torch

    from harness_architectures.shared.regions import retrieve_roi

    torch.set_num_threads(THREADS)
    maps = torch.rand(16, 2, 46, 30, generator=torch.Generator().manual_seed(0))
    assert torch.equal(retrieve_roi(maps, (4, 4), 6), _one_by_one(maps, 4, 6))
    plain, ours = _in_turn(repeats, lambda: _one_by_one(maps, 4, 6), lambda: retrieve_roi(maps, (4, 4), 6))
    return Ratio("retrieve_roi, batch 16, 46x30, K = 6, against a loop over samples", plain, ours, 4.0)


def gmic_native(repeats: int = 5) -> tuple[Ratio, ...]:
    """Compare GMIC at 2944x1920, batch 1, as trained here, with the same network in eager fp32 NCHW."""
    import torch

    from harness.trial.model.build import laid_out
    from harness.trial.settings.training import TrainSettings

    torch.set_num_threads(THREADS)
    plain, fast = _gmic(), laid_out(_gmic(), TrainSettings(), torch.device("cpu"))
    image = torch.randn(1, 1, 2944, 1920, generator=torch.Generator().manual_seed(0))
    forward = _in_turn(
        repeats,
        lambda: _forward(plain, image),
        lambda: _forward(fast, image),
        lambda: _forward(fast, image, bf16=True),
    )
    step = _in_turn(repeats, lambda: _step(plain, image), lambda: _step(fast, image, bf16=True))
    size = "GMIC 2944x1920, batch 1"
    return (
        Ratio(f"{size}: forward fp32", forward[0], forward[1], 1.4),
        Ratio(f"{size}: forward bf16", forward[0], forward[2], 2.5),
        Ratio(f"{size}: training step bf16", step[0], step[1], 2.0),
    )


def bf16_support() -> str:
    """Return the processor's support for bf16, on which the ratios depend."""
    try:
        with open("/proc/cpuinfo") as file:
            line = next((line for line in file if line.startswith("flags")), "")
    except OSError:
        return f"unknown ({platform.machine()})"
    found = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if f" {flag}" in line]
    return ", ".join(found) or "none"


def main() -> None:
    """Measure and print the table."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{THREADS} threads, {platform.machine()}, bf16 support: {bf16_support()}")
    for column in ("what", "plain", "ours", "ratio", "wanted"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for row in (retrieve_roi_ratio(), *gmic_native()):
        wanted = f"{row.wanted:.1f}x"
        table.add_row(row.name, f"{row.plain:.4f} s", f"{row.ours:.4f} s", f"{row.ratio:.1f}x", wanted)
    Console(width=120).print(table)


def _one_by_one(maps: Any, window: int, crops: int) -> Any:
    import torch
    from torch.nn.functional import avg_pool2d

    found = torch.zeros(len(maps), crops, 2, dtype=torch.long)
    for number, sample in enumerate(maps):
        low, high = sample.amin((1, 2), keepdim=True), sample.amax((1, 2), keepdim=True)
        summed = ((sample - low) / (high - low)).sum(0)
        for crop in range(crops):
            scores = avg_pool2d(summed[None, None], window, stride=1)[0, 0]
            row, column = divmod(int(scores.argmax()), scores.shape[1])
            summed[row : row + window, column : column + window] = 0
            found[number, crop, 0], found[number, crop, 1] = row, column
    return found


def _gmic() -> Any:
    import torch

    from harness import Task
    from harness.contract.loading.catalog import Catalog

    task = Task(classes=("benign", "malignant"), image_size=(2944, 1920))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Catalog.discover().build("architecture", "gmic", task)


def _forward(model: Any, image: Any, bf16: bool = False) -> None:
    import torch

    model.eval()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        model(_batch(image))


def _step(model: Any, image: Any, bf16: bool = False) -> None:
    import torch

    model.train()
    batch = _batch(image)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        out = model(batch)
    torch.stack(list(model.losses(out, batch).values())).sum().backward()
    model.zero_grad()


def _batch(image: Any) -> Any:
    import torch

    from harness.nn import Batch

    return Batch(images=image, labels=torch.tensor([[0.0, 1.0]]))


def _in_turn(repeats: int, *calls: Callable[[], object]) -> tuple[float, ...]:
    """Return the median seconds of each call; calls take turns, after one round that is not counted."""
    seconds: list[list[float]] = [[] for _ in calls]
    for turn in range(repeats + 1):
        for call, taken in zip(calls, seconds, strict=True):
            started = time.perf_counter()
            call()
            if turn:
                taken.append(time.perf_counter() - started)
    return tuple(statistics.median(taken) for taken in seconds)


if __name__ == "__main__":
    main()

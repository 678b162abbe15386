"""The time that training spends in the checks of what models, backbones, poolings and metrics return.

`python -m benchmarks checks` prints it. The checks are timed where they are called, so that no difference of two noisy
runs is taken. On a GPU, the kernels that they launch are not counted.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

WANTED = 0.01
"""Largest allowed share of an epoch, or of a step."""
STEPS = 30


@dataclass(frozen=True)
class Share:
    """Time in the checks, and of everything.

    Args:
        name: what was run.
        checks_s: seconds in the checks.
        whole_s: seconds of the epoch or step, checks included.
    """

    name: str
    checks_s: float
    whole_s: float

    @property
    def share(self) -> float:
        """The fraction of the time that is spent in the checks."""
        return self.checks_s / self.whole_s


def shares() -> Iterator[Share]:
    """Yield the share of each case."""
    yield gmic_epoch()
    yield gmic_step()
    for bags, instances, features in ((1, 1000, 1024), (8, 100, 512)):
        yield bag_step(bags, instances, features)


def gmic_epoch() -> Share:
    """Measure training and validation of an epoch of GMIC on phantoms, as the quick budget trains it."""
    from benchmarks.bench_loader import waiting

    with _timed() as spent:
        found = waiting()
    return Share("an epoch of gmic at quick", sum(spent) / 2, found.epoch_s)  # of two epochs


def gmic_step() -> Share:
    """Measure one training step of GMIC at its published size."""
    import torch

    from benchmarks.bench_models import _batch, _gmic

    image = torch.randn(1, 1, 2944, 1920, generator=torch.Generator().manual_seed(0))
    return _steps("a step of gmic, 2944x1920", _gmic(), _batch(image), 1)


def bag_step(bags: int, instances: int, features: int) -> Share:
    """Measure training steps of an attention MIL model over bags of feature vectors."""
    import torch

    from harness import Task
    from harness.contract.loading.catalog import Catalog
    from harness.nn import Batch

    task = Task(classes=("tumour",), sample="features", features=features)
    values = torch.randn(bags, instances, features, generator=torch.Generator().manual_seed(0))
    mask = torch.ones(bags, instances, dtype=torch.bool)
    batch = Batch(features=values, mask=mask, labels=torch.ones(bags, 1))
    name = f"a step of attention_mil, {bags} x {instances} x {features}"
    return _steps(name, Catalog.discover().build("architecture", "attention_mil", task), batch, STEPS)


def _steps(name: str, model: Any, batch: Any, count: int) -> Share:
    """Return the medians of `count` steps of the training loop, after one that is not counted."""
    import torch

    from harness.contract.loading.catalog import Catalog
    from harness.contract.types import Objective
    from harness.trial.fit.schedule import Updates
    from harness.trial.fit.train import Fit, _step
    from harness.trial.settings.training import TrainSettings

    settings: Any = TrainSettings()
    updates, loader, device = Updates.of(settings, Catalog.discover()), None, torch.device("cpu")
    job = Fit(model.train(), loader, settings, updates, Objective(), 0, device, dict)  # type: ignore[arg-type]
    optimiser, scaler = updates.optimiser(list(model.parameters())), torch.amp.GradScaler("cpu", enabled=False)
    checks, whole = list[float](), list[float]()
    for _ in range(count + 1):
        started = time.perf_counter()
        with _timed() as spent:
            _step(job, batch, optimiser, scaler, 1e-5)
        whole.append(time.perf_counter() - started)
        checks.append(sum(spent))
    return Share(name, statistics.median(checks[1:]), statistics.median(whole[1:]))


@contextmanager
def _timed() -> Iterator[list[float]]:
    """Collect the seconds of every check inside."""
    from harness.contract.nn import Backbone, Pooling
    from harness.metrics import metric
    from harness.trial.fit import train
    from harness.trial.model import evaluate
    from harness.trial.seams import outputs

    places: list[tuple[Any, str]] = [(outputs, "check_form"), (outputs, "check_losses")]
    places += [(module, name) for module in (train, evaluate) for name in ("extremes", "check_range")]
    places += [(kind, "_check_output") for kind in (Backbone, Pooling)]
    places += [(metric.Metric, name) for name in ("_numbers", "_bounded")] + [(metric, "_protected")]
    spent: list[float] = []
    with ExitStack() as stack:
        for owner, name in places:
            stack.enter_context(patch.object(owner, name, _counted(getattr(owner, name), spent)))
        yield spent


def _counted(check: Callable[..., Any], spent: list[float]) -> Callable[..., Any]:
    def counted(*arguments: Any, **keywords: Any) -> Any:
        started = time.perf_counter()
        try:
            return check(*arguments, **keywords)
        finally:
            spent.append(time.perf_counter() - started)

    return counted

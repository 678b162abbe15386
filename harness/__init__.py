"""A fair, resumable benchmark of weakly supervised medical image classifiers.

For users: `plan`, `run`, `report`, `results`, `compare`. For plugin authors: components, hooks and their values;
the torch side is in `harness.nn`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from harness.contract.components import ArchitectureFactory, BackboneFactory, Component, PoolingFactory, use
from harness.contract.dataset import Dataset
from harness.contract.errors import HarnessError, InputError, SizeMismatchError, nearest
from harness.contract.files import file_facts, stamp_of
from harness.contract.loading.hookspecs import hookimpl
from harness.contract.metrics import MetricRecord, Standing
from harness.contract.seeds import of as seed_of
from harness.contract.types import Epoch, Plan, Sample, Schedule, Task, TrialResult, TrialSpec

if TYPE_CHECKING:
    from harness.api.compare import compare
    from harness.api.plan import plan
    from harness.api.report import report
    from harness.api.results import results
    from harness.api.run import run

__version__ = "0.2.0"
__all__ = [
    "ArchitectureFactory",
    "BackboneFactory",
    "Component",
    "Dataset",
    "Epoch",
    "HarnessError",
    "InputError",
    "MetricRecord",
    "SizeMismatchError",
    "Plan",
    "PoolingFactory",
    "Sample",
    "Schedule",
    "Standing",
    "Task",
    "TrialResult",
    "TrialSpec",
    "compare",
    "file_facts",
    "hookimpl",
    "nearest",
    "plan",
    "report",
    "results",
    "run",
    "seed_of",
    "stamp_of",
    "use",
]


_API = ("compare", "plan", "report", "results", "run")
"""Functions that are imported when first used: they load pydantic and NumPy."""


def __getattr__(name: str) -> Any:
    if name in _API:
        found = getattr(importlib.import_module(f"harness.api.{name}"), name)
        globals()[name] = found
        return found
    raise AttributeError(f"module 'harness' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]

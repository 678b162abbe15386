"""What a plugin author imports, and nothing heavy. The torch side stands in `harness.nn`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.contract.components import ArchitectureFactory, BackboneFactory, Component, PoolingFactory, use
from harness.contract.dataset import Dataset
from harness.contract.errors import HarnessError, InputError, Misfit, nearest
from harness.contract.files import file_facts
from harness.contract.hookspecs import hookimpl
from harness.contract.seeds import of as seed_of
from harness.contract.types import Epoch, Plan, Sample, Schedule, Task, TrialResult, TrialSpec

if TYPE_CHECKING:
    from harness.study.results.results import results

__version__ = "0.1.0"
__all__ = [
    "ArchitectureFactory",
    "BackboneFactory",
    "Component",
    "Dataset",
    "Epoch",
    "HarnessError",
    "InputError",
    "Misfit",
    "Plan",
    "PoolingFactory",
    "Sample",
    "Schedule",
    "Task",
    "TrialResult",
    "TrialSpec",
    "file_facts",
    "hookimpl",
    "nearest",
    "results",
    "seed_of",
    "use",
]


def __getattr__(name: str) -> Any:
    if name == "results":
        from harness.study.results.results import results

        return results
    raise AttributeError(f"module 'harness' has no attribute {name!r}")

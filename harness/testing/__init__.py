"""Laws for the components of plugins, and small components to test with.

A plugin's test file subclasses the laws of its kind:

    from harness.testing import PoolingLaws

    import my_plugin

    class TestMyPoolings(PoolingLaws):
        plugin = my_plugin
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.testing.bag_batches import bag_batch
    from harness.testing.contracts_bags import InstanceLaws, ViewLaws
    from harness.testing.contracts_data import DatasetLaws
    from harness.testing.contracts_explainers import ExplainerLaws
    from harness.testing.contracts_metrics import MetricLaws
    from harness.testing.contracts_models import ArchitectureLaws, BackboneLaws, PoolingLaws
    from harness.testing.contracts_training import OptimiserLaws, ScheduleLaws
    from harness.testing.fake_bags import bag_catalog
    from harness.testing.fakes import build_squares, build_tiny_cnn, squares_task, tiny_catalog, tiny_spec

__all__ = [
    "ArchitectureLaws",
    "BackboneLaws",
    "DatasetLaws",
    "ExplainerLaws",
    "InstanceLaws",
    "MetricLaws",
    "OptimiserLaws",
    "PoolingLaws",
    "ScheduleLaws",
    "ViewLaws",
    "bag_batch",
    "bag_catalog",
    "build_squares",
    "build_tiny_cnn",
    "squares_task",
    "tiny_catalog",
    "tiny_spec",
]

_LAWS = {
    "bags": ("InstanceLaws", "ViewLaws"),
    "data": ("DatasetLaws",),
    "explainers": ("ExplainerLaws",),
    "metrics": ("MetricLaws",),
    "models": ("ArchitectureLaws", "BackboneLaws", "PoolingLaws"),
    "training": ("OptimiserLaws", "ScheduleLaws"),
}
_MODULES = {name: f"contracts_{kind}" for kind, names in _LAWS.items() for name in names} | {
    "bag_batch": "bag_batches",
    "bag_catalog": "fake_bags",
}
"""Name -> the module that it is imported from when it is first used; `fakes` for the others."""

if "pytest" in sys.modules:
    # A failed assert of a law shows the values that it compared, as one of a test file does.
    sys.modules["pytest"].register_assert_rewrite(*(f"{__name__}.contracts_{kind}" for kind in _LAWS))


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"{__name__}.{_MODULES.get(name, 'fakes')}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return list(__all__)

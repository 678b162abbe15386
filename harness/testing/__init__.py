"""Laws for the components of plugins, and small components to test with.

A plugin's whole test file:

    from harness.testing import laws_for

    import my_plugin

    test_laws = laws_for(my_plugin)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.testing.bag_batches import bag_batch
    from harness.testing.collected import (
        ArchitectureLaws,
        BackboneLaws,
        DatasetLaws,
        ExplainerLaws,
        MetricLaws,
        OptimiserLaws,
        PoolingLaws,
        ScheduleLaws,
        laws_for,
    )
    from harness.testing.fake_bags import bag_catalog
    from harness.testing.fakes import build_squares, build_tiny_cnn, squares_task, tiny_catalog, tiny_spec

__all__ = [
    "ArchitectureLaws",
    "BackboneLaws",
    "DatasetLaws",
    "ExplainerLaws",
    "MetricLaws",
    "OptimiserLaws",
    "PoolingLaws",
    "ScheduleLaws",
    "bag_batch",
    "bag_catalog",
    "build_squares",
    "build_tiny_cnn",
    "laws_for",
    "squares_task",
    "tiny_catalog",
    "tiny_spec",
]

_MODULES = {"bag_batch": "bag_batches", "bag_catalog": "fake_bags", "laws_for": "collected"}
"""Name -> the module that it is imported from when it is first used; see `_module`."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"{__name__}.{_module(name)}"), name)
    globals()[name] = found
    return found


def _module(name: str) -> str:
    return _MODULES.get(name, "collected" if name.endswith("Laws") else "fakes")


def __dir__() -> list[str]:
    return list(__all__)

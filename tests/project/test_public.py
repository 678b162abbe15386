"""What is public: a change of these names is a change for users and plugin authors, and stands in the changelog."""

from __future__ import annotations

import importlib

import pytest

PUBLIC = {
    "harness": """
        ArchitectureFactory BackboneFactory Component Dataset Epoch HarnessError InputError MetricRecord Plan
        PoolingFactory Sample Schedule SizeMismatchError Standing Task TrialResult TrialSpec compare file_facts hookimpl
        nearest plan report results run seed_of use
    """,
    "harness.nn": "",
    "harness.metrics.functional": "",
    "harness.testing": "",
}


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_module_exports_exactly_these_names(name: str) -> None:
    module = importlib.import_module(name)
    assert sorted(module.__all__) == PUBLIC[name].split()
    assert all(hasattr(module, item) for item in module.__all__)

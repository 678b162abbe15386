"""What the tests of trials share: a workspace, a tiny catalog, and a way to run a spec to its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.contract.loading.catalog import Catalog
from harness.contract.types import Workspace
from harness.testing.fakes import tiny_catalog


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Everything below one folder of its own; CPU."""
    return Workspace(
        data=tmp_path / "data", cache=tmp_path / "cache", checkpoints=tmp_path / "checkpoints", device="cpu"
    )


@pytest.fixture
def tiny() -> Catalog:
    """The tiny components and nothing else."""
    return tiny_catalog()

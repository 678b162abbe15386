"""A stranger's installed plugin, trained as any other: what it may do, and what the fence stops."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.contract.catalog import Catalog
from harness.contract.types import TrialResult, Workspace
from harness.testing.fakes import tiny_spec
from harness.trial.trial import run_trial


@pytest.fixture
def strangers(third_party_site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalog]:
    monkeypatch.syspath_prepend(str(third_party_site))
    yield Catalog.discover()
    for name in [name for name in sys.modules if name.startswith("third_party_plugin")]:
        del sys.modules[name]


def result_of(model: dict[str, Any], catalog: Catalog, workspace: Workspace) -> TrialResult:
    spec = tiny_spec(metrics=("auroc",))
    tree = {**spec.tree, "dataset": {"use": "stripes"}, "model": model}
    *_, result = run_trial(replace(spec, tree=tree), catalog, workspace)
    assert isinstance(result, TrialResult)
    return result


def test_a_plugin_that_reads_a_mask_in_training_is_stopped(strangers: Catalog, workspace: Workspace) -> None:
    mask = workspace.data / "stripes" / "train3.npy"
    stopped = result_of({"use": "spy", "path": str(mask)}, strangers, workspace)
    assert mask.is_file(), "there was something to read"
    assert stopped.state == "failed" and "train3.npy" in stopped.reason and "sealed" in stopped.reason
    assert stopped.ledger["read"]["fit"]["masks"] == 0

    harmless = result_of({"use": "spy", "path": str(workspace.data / "nothing.npy")}, strangers, workspace)
    assert (harmless.state, harmless.reason) == ("complete", "")
    assert result_of({"use": "map_mean"}, strangers, workspace).state == "complete"

"""What a plugin changes in torch while it is imported does not reach others; what else it changes is listed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from harness.contract.loading.at_import import watched_import
from tests.harness.contract.loading.installed import harness, install

CHANGES = """
import os, warnings, torch
torch.set_default_dtype(torch.float64)
torch.manual_seed(7)
torch.set_grad_enabled(False)
torch.use_deterministic_algorithms(True)
os.environ["ACME"] = "1"
warnings.filterwarnings("ignore", "acme")
"""
PROBE = """
import json, sys
{first}
from harness.contract.loading.catalog import Catalog
found = Catalog.discover()
import torch
print(json.dumps({{
    "state": [str(torch.get_default_dtype()), torch.is_grad_enabled(), torch.are_deterministic_algorithms_enabled()],
    "seed": torch.initial_seed(),
    "said": [item.message for item in found.at_import],
    "broken": [item.reason for item in found.broken],
}}))
"""


@pytest.mark.parametrize("first", ["", "import torch"])
def test_a_changed_default_is_put_back_whether_torch_was_loaded_or_not(first: str, tmp_path: Path) -> None:
    site = tmp_path / "site"
    install(site, "acme-pools", CHANGES)
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(first=first)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert found["state"] == ["torch.float32", True, False] and found["seed"] != 7 and not found["broken"]
    assert set(found["said"]) >= {
        "sets torch's default dtype to float64 while it is imported; it was put back",
        "leaves gradients off while it is imported; it was put back",
        "switches deterministic algorithms on while it is imported; it was put back",
        "reseeds torch's generator with 7 while it is imported; it was put back",
    }
    assert any(line.startswith("changes the environment: ") and "ACME" in line for line in found["said"])
    assert "adds filters of warnings while it is imported" in found["said"]


def test_the_number_of_threads_is_put_back() -> None:
    before, changes = torch.get_num_threads(), list[str]()
    with watched_import(changes):
        torch.set_num_threads(before + 1)
    assert torch.get_num_threads() == before
    assert changes == [f"sets torch's number of threads to {before + 1} while it is imported; it was put back"]


def test_an_import_that_changes_nothing_loads_no_torch(tmp_path: Path) -> None:
    install(tmp_path / "site", "acme-pools", "x = 1")
    listed = json.loads(harness(tmp_path / "site", "plugin", "list", "--json").stdout)
    (acme,) = [row for row in listed["plugins"] if row["distribution"] == "acme-pools"]
    assert acme["notes"] == []

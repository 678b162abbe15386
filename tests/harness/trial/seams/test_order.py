"""Explainers come last, one at a time: what they do to their model changes no score and no map of another."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from harness.contract.loading.catalog import Catalog
from harness.contract.nn import Batch, Explainer, Model
from harness.contract.tables import LEFT_OUT, from_bytes
from harness.contract.types import TrialResult, Workspace
from harness.testing.fakes import tiny_spec
from harness.trial.seams.intact import Snapshot
from tests.harness.trial.seams.strangers import end, register

EXPLAIN = {"images": 2, "faithfulness": {"use": ["zero", "randomise"], "images": 2}}


class Good(Explainer):
    """An honest explainer: it shows the image."""

    def explain(self, model: Model, batch: Batch, classes: Sequence[int]) -> torch.Tensor:
        model(batch)
        return batch.images[:, 0].sigmoid()


class Trains(Good):
    def explain(self, model: Model, batch: Batch, classes: Sequence[int]) -> torch.Tensor:
        model.train()
        return super().explain(model, batch, classes)


class Zeroes(Good):
    def explain(self, model: Model, batch: Batch, classes: Sequence[int]) -> torch.Tensor:
        with torch.no_grad():
            for value in model.parameters():
                value.zero_()
        return super().explain(model, batch, classes)


class Nan(Good):
    def explain(self, model: Model, batch: Batch, classes: Sequence[int]) -> torch.Tensor:
        return super().explain(model, batch, classes) * torch.nan


class Small(Good):
    def explain(self, model: Model, batch: Batch, classes: Sequence[int]) -> torch.Tensor:
        return super().explain(model, batch, classes)[:, ::2, ::2]


class Loud(Good):
    def explain(self, model: Model, batch: Batch, classes: Sequence[int]) -> torch.Tensor:
        return 2 * super().explain(model, batch, classes) + 1


class Raises(Good):
    def explain(self, model: Model, batch: Batch, classes: Sequence[int]) -> torch.Tensor:
        raise RuntimeError("no map today")


class Exits(Good):
    def explain(self, model: Model, batch: Batch, classes: Sequence[int]) -> torch.Tensor:
        raise SystemExit(3)


def confirmed(tiny: Catalog, workspace: Workspace, *names: str) -> TrialResult:
    spec = tiny_spec(stage="confirm", explain={"use": list(names), **EXPLAIN}, metrics=("auroc",))
    found = end(spec, tiny, workspace)
    assert (found.state, found.reason) == ("complete", "")
    return found


@pytest.fixture
def tiny(tiny: Catalog) -> Catalog:
    kinds = (Good, Trains, Zeroes, Nan, Small, Loud, Raises, Exits)
    return register(
        tiny, "explainer", **{kind.__name__.lower(): (lambda kind=kind: _builder(kind))() for kind in kinds}
    )


def _builder(kind: type[Explainer]) -> Any:
    return lambda: kind()


BROKEN = {
    "trains": r"back a changed model \(features\.1\.running_mean, .*\), but the same model is expected.*left_as_it_was",
    "zeroes": r"back a changed model \(features\.0\.weight, .* and 3 more\), but",
    "nan": "a map that is not finite",
    "small": r"maps float32 \(\d+, 8, 8\), but float \(\d+, 16, 16\)",
    "loud": r"maps from 1\.\d+ to [23]\S*, but values in \[0, 1\]",
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> TrialResult:
    """The confirmation with the honest explainer alone."""
    from harness.testing.fakes import tiny_catalog

    root = tmp_path_factory.mktemp("plain")
    catalog = register(tiny_catalog(), "explainer", good=_builder(Good))
    return confirmed(catalog, Workspace(data=root / "data", cache=root / "cache", device="cpu"), "good")


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_explainer_loses_its_own_maps_and_nothing_else(
    tiny: Catalog, workspace: Workspace, plain: TrialResult, name: str
) -> None:
    found = confirmed(tiny, workspace, name, "good")
    assert found.metrics == plain.metrics
    assert found.files["weights.safetensors"][-64:] == plain.files["weights.safetensors"][-64:]
    for file in ("predictions", "maps", "candidates", "lesions", "faithfulness"):
        before, after = (from_bytes(result.files[f"{file}.parquet"]) for result in (plain, found))
        assert before.equals(after), file
    assert list(np.load(_file(found, "overlays.npz"))["explainers"]) == ["good"]
    reason = found.files[LEFT_OUT].decode()
    assert re.fullmatch(rf"{name}: explainer '{name}' \(acme-parts 1\.2\) gave {BROKEN[name]}.*\n", reason), reason


@pytest.mark.parametrize(("name", "reason"), [("raises", "RuntimeError: no map today"), ("exits", "SystemExit: 3")])
def test_an_explainer_that_raises_is_named_and_left_out(
    tiny: Catalog, workspace: Workspace, name: str, reason: str
) -> None:
    found = confirmed(tiny, workspace, name, "good")
    assert found.files[LEFT_OUT].decode() == f"{name}: explainer '{name}' (acme-parts 1.2): {reason}\n"
    assert set(from_bytes(found.files["maps.parquet"])["map"]) == {"native", "good"}


def test_what_a_snapshot_sees() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2)).eval()
    model.register_buffer("kept", torch.tensor([torch.nan]), persistent=False)
    before = Snapshot.of(model)
    assert before.changes(model) == []
    model[1].train()
    assert before.changes(model) == ["training of 1"]
    model.kept += 1
    assert before.changes(model) == ["training of 1"], "NaN equals NaN"
    model.kept = torch.zeros(1)
    with torch.no_grad():
        model[0].weight[0, 0] += 1e-6
    assert before.changes(model) == ["0.weight", "kept", "training of 1"]
    assert before.changes(model, ignored=("kept",)) == ["0.weight", "training of 1"]


def _file(result: TrialResult, name: str) -> Any:
    import io

    return io.BytesIO(result.files[name])

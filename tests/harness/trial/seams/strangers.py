"""Plugins of a stranger: a catalog with components that break their contract, each in one way."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness import hookimpl
from harness.contract.components import Component
from harness.contract.loading.catalog import Catalog, Provider
from harness.contract.metrics import MetricRecord
from harness.contract.types import Epoch, Opening, TrialResult, TrialSpec, Workspace
from harness.testing.fake_models import TinyCnn
from harness.testing.fakes import squares_task
from harness.trial.trial import run_trial

ACME = Provider("acme", "acme-parts", "1.2")
NAMED = r" \(acme-parts 1\.2\) "


def register(catalog: Catalog, kind: str, **components: Any) -> Catalog:
    """Register components of one kind by name, each a builder or a record, as the plugin acme-parts 1.2."""
    found = [
        item
        if isinstance(item, Component)
        else Component(name=name, build=item, summary="of a stranger", **_more(kind))
        for name, item in components.items()
    ]
    plugin = type("Acme", (), {f"harness_{kind}s": staticmethod(hookimpl(lambda: found))})()
    catalog.register(plugin, Provider(f"acme{len(catalog.providers)}", ACME.distribution, ACME.version))
    assert not catalog.broken, catalog.broken
    return catalog


def architecture(forward: Callable[..., Any] | None = None, **methods: Callable[..., Any]) -> Callable[..., Any]:
    """Return the builder of a TinyCnn with other methods."""
    own: dict[str, Any] = {} if forward is None else {"forward": forward}
    kind = type("Strange", (TinyCnn,), {**own, **methods})
    return lambda task, /: kind(task, 8, 0.0, "none", 1)


def metric(build: Callable[..., Any], **more: Any) -> MetricRecord:
    """Return the record of a statistic of scores."""
    known: dict[str, Any] = {"name": "strange", "label": "strange", "summary": "of a stranger", "reads": "scores"}
    return MetricRecord(build=build, form="statistic", **{**known, **more})


def end(spec: TrialSpec, catalog: Catalog, workspace: Workspace) -> TrialResult:
    """Run a trial to its result."""
    *_, result = run_trial(spec, catalog, workspace)
    assert isinstance(result, TrialResult)
    return result


def events(spec: TrialSpec, catalog: Catalog, workspace: Workspace) -> Sequence[Epoch | Opening | TrialResult]:
    """Return everything that a trial yields."""
    return list(run_trial(spec, catalog, workspace))


def swapped(value: Any, /, **fields: Any) -> Any:
    """Return a copy with other fields, which are not checked: jaxtyping is there in tests only."""
    made = copy.copy(value)
    for name, item in fields.items():
        object.__setattr__(made, name, item)
    return made


def _more(kind: str) -> Mapping[str, Any]:
    return {"task": squares_task} if kind == "dataset" else {}

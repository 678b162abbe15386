"""A study of two epochs that uses one component: does it train, validate, test and reach the leaderboard?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.api.plan import plan
from harness.api.session import Session
from harness.contract.components import Component
from harness.contract.errors import HarnessError, InputError, Problems
from harness.contract.keys import RANKED
from harness.contract.loading.catalog import Catalog
from harness.contract.types import Plan

if TYPE_CHECKING:
    from harness.study.results.results import Results

_DATASETS = ("phantom_mammograms", "digit_bags", "phantom_exams", "skin_ultrasound")
"""Shipped data sets with every kind of sample but tables of features, tried in this order."""
_MODELS = {"image": "cnn", "bag": "attention_mil", "features": "attention_mil", "views": "dmv_cnn"}
"""Kind of a sample -> the architecture that is trained on it."""
_VARIANT = "checked"


@dataclass(frozen=True)
class Outcome:
    """The end of a study of two epochs.

    Args:
        verdict: "pass", "fail" or "skipped".
        seen: the test values, or the reason.
    """

    verdict: str
    seen: str


def try_study(kind: str, component: Component[Any], session: Session, folder: Path) -> Outcome:
    """Run a study of two epochs with a component in its smallest configuration, in this process.

    Args:
        kind: of the component.
        component: it must be in the session's catalog.
        session: its data root is read by a data set under test.
        folder: for results, decoded images and the databases of the run.
    """
    session = replace(session, settings=replace(session.settings, results=folder, cache=folder / "cache", concurrent=1))
    catalog, reasons = session.catalog, []
    for tables in _studies(kind, component, catalog):
        try:
            made = plan(tables, session=session)
        except InputError as error:
            return Outcome("fail", str(error))
        if not (reason := _left_out(made)):
            return _run(made, session, catalog.provider_of(kind, component).plugin)
        reasons.append(reason)
    return Outcome("skipped", reasons[0])


def _studies(kind: str, component: Component[Any], catalog: Catalog) -> Iterator[dict[str, Any]]:
    """Yield a study for each shipped data set, or one for a data set."""
    own = {"use": catalog.address_of(kind, component), **component.tiny}
    if kind == "dataset":
        yield _tables(kind, own, own, _sample_of(component, own, catalog), catalog)
        return
    for name in _DATASETS if kind in ("architecture", "explainer", "metric") else _DATASETS[:1]:
        dataset = _smallest(catalog, "dataset", name)
        yield _tables(kind, own, dataset, _sample_of(catalog.get("dataset", name), dataset, catalog), catalog)


def _tables(kind: str, own: Any, dataset: Any, sample: str, catalog: Catalog) -> dict[str, Any]:
    """Return the tables of a study in which `own` takes the place of its kind."""
    model: dict[str, Any] = _smallest(catalog, "architecture", _MODELS[sample])
    if sample == "image":
        model |= {"head": "conv_before_pool", "backbone": _smallest(catalog, "backbone", "resnet22")}
    if kind in ("pooling", "backbone"):
        model |= {kind: own}
    train = {"epochs": 2, "batch_size": 4, **({kind: own} if kind in ("optimiser", "schedule") else {})}
    return {
        "study": {
            "name": f"two_epochs_of_a_{kind}",
            "objective": {"metric": f"val/{RANKED}"},
            "metrics": [RANKED, *([own] if kind == "metric" and own["use"] != RANKED else [])],
        },
        "dataset": dataset,
        "train": train,
        "model": own if kind == "architecture" else model,
        "confirm": {"seeds": [0]},
        "explain": {"use": [own] if kind == "explainer" else [], "images": 2},
        "variants": {_VARIANT: {}},
    }


def _smallest(catalog: Catalog, kind: str, name: str) -> dict[str, Any]:
    return {"use": name, **catalog.get(kind, name).tiny}


def _sample_of(component: Component[Any], table: Any, catalog: Catalog) -> str:
    """Return the kind of a sample of a data set in its smallest configuration."""
    factory = catalog.factory("dataset", table, Problems(""), "dataset")
    if factory is None or component.task is None:
        return "image"  # the plan states what is wrong
    try:
        return str(component.task(**factory.params).sample)
    except Exception:  # a plugin may raise anything; the plan, which comes next, states it with its component
        return "image"


def _left_out(made: Plan) -> str:
    """Return why the plan leaves the component out; empty if it is used."""
    reasons = [skip.reason for skip in made.skipped]
    reasons += [text for text in made.warnings if "is left out" in text]
    return "; ".join(reasons)


def _run(made: Plan, session: Session, plugin: str) -> Outcome:
    from harness.adapters.inline import InlineTuner
    from harness.adapters.optuna.search import OptunaSampler
    from harness.study.results.results import read_results
    from harness.study.run.observers import HookObserver
    from harness.study.run.run import run_study

    settings, catalog, folder = session.settings, session.catalog, session.settings.results / made.directory
    folder.mkdir(parents=True, exist_ok=True)
    try:
        results, known = partial(read_results, folder, catalog), len(catalog.broken)
        hooks = [HookObserver(catalog, name, made, results) for name in catalog.observers() if name == plugin]
        sampler = OptunaSampler(f"sqlite:///{folder / 'optuna.db'}")
        ended = run_study(made, settings, catalog, InlineTuner(), sampler, hooks)
        if ended.exit_code or len(catalog.broken) > known:
            reasons = [ended.message, *(item.reason for item in catalog.broken[known:])]
            return Outcome("fail", "; ".join(filter(None, reasons)))
        found = results()
    except HarnessError as error:
        return Outcome("fail", str(error))
    return Outcome("pass", _seen(found))


def _seen(found: Results) -> str:
    """Return the test values of the only model, once it has a row in the leaderboard."""
    (row,) = found.variants.to_dict("records")
    (record,) = (record for record in found.records() if record.spec.stage == "confirm")
    assert row["variant"] == _VARIANT and record.result is not None
    values = {key: value for key, value in record.result.metrics.items() if key.count("/") == 1}
    return ", ".join(f"{key} {value:.3f}" for key, value in values.items() if key.startswith("test/"))

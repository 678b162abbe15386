"""Trials without training: the tree holds the learning curve. For tests of tuners and for overhead benchmarks.

Everything around the trial is the real code; `fakes` has trials that train.
"""

from __future__ import annotations

import json
import math
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.config import space
from harness.contract.errors import InputError, MachineError
from harness.contract.keys import RANKED
from harness.contract.loading.catalog import Catalog
from harness.contract.types import Epoch, Objective, Opening, Plan, TrialResult, TrialSpec, VariantPlan, Workspace
from harness.study.run.tuning import Events

RUN = "harness.testing.scripted:run_scripted"
CATALOG = "harness.testing.fakes:tiny_catalog"


def run_scripted(spec: TrialSpec, catalog: Catalog, workspace: Workspace) -> Events:
    """Run a trial as the `model` table of its tree describes; continue from a checkpoint if there is one.

    quality: limit of the curve; the share 1 - 1 / (1 + epochs) of it is reached.
    epoch_s: duration of an epoch.
    fault: none, nan, raise, machine, input; leave ends the worker by os._exit; die kills it; die_once only the
        first time; die_tested the first time that the test split is open.
    fault_epoch: epoch before which the fault occurs.
    bytes: size of a file that the result carries.
    """
    model, path = spec.tree["model"], _checkpoint(spec, workspace)
    values: list[float] = json.loads(path.read_text()) if path and path.exists() else []
    for number in range(len(values) + 1, int(spec.tree["train"]["epochs"]) + 1):
        time.sleep(model.get("epoch_s", 0.0))
        if number == model.get("fault_epoch", 1):
            _fail(spec, workspace)
        value = math.nan if model.get("fault") == "nan" else model.get("quality", 0.5) * (1 - 1 / (1 + number))
        values.append(value)
        smoothed = sum(values[-3:]) / len(values[-3:])
        yield Epoch(number=number, metrics={"val/auroc": value}, value=value, smoothed=smoothed, seconds=0.01)
        if path:  # after the driver has received the epoch: an epoch may be repeated but is never lost
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values))
    if spec.stage == "confirm":
        yield Opening()
        if model.get("fault") == "die_tested":
            _die_once(spec, workspace)
    means = [sum(values[max(0, end - 3) : end]) / min(3, end) for end in range(1, len(values) + 1)]
    best = max(range(len(means)), key=means.__getitem__)
    metrics = {"val/auroc": values[best]} | ({"test/auroc": values[best]} if spec.stage != "search" else {})
    files = {"weights.bin": bytes(model["bytes"])} if "bytes" in model else {}
    ledger = {"opened": ["train", "val"] + (["test"] if spec.stage != "search" else [])}
    yield TrialResult(
        state="complete",
        value=means[best],
        best_epoch=best + 1,
        epochs=len(values),
        metrics=metrics,
        files=files,
        ledger=ledger,
    )


def scripted_plan(
    models: Mapping[str, Mapping[str, Any]],
    trials: int = 3,
    epochs: int = 3,
    seeds: tuple[int, ...] = (0, 1),
    sampler: Mapping[str, Any] | None = None,
    pruner: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Plan:
    """Return a plan whose variants are these `model` tables; a table may hold distributions."""
    variants = []
    for name, model in models.items():
        tree = {"dataset": {"use": "squares"}, "train": {"epochs": epochs}, "model": {"use": "scripted", **model}}
        key = f"{name:x<16}"
        variants.append(VariantPlan(name=name, id=key, tree=tree, searched=space.searched(tree)))
    search = {
        "trials": trials,
        "sampler": sampler or {"use": "random"},
        "pruner": pruner or {"use": "none"},
        "seed": 0,
    }
    known: dict[str, Any] = {
        "study": "scripted",
        "study_id": "5" * 16,
        "budget": "quick",
        "path": Path("scripted.toml"),
        "question": "",
        "baseline": next(iter(models)),
        "metrics": (RANKED,),
        "variants": tuple(variants),
        "search": search,
        "confirm": {"seeds": list(seeds)},
    }
    return Plan(**({"objective": Objective(), **known} | changes))


def _fail(spec: TrialSpec, workspace: Workspace) -> None:
    fault = spec.tree["model"].get("fault", "none")
    if fault == "raise":
        raise RuntimeError("the script says so")
    if fault == "machine":
        raise MachineError("no space left on the device")
    if fault == "input":
        raise InputError("crops: K = 20 does not fit the map")
    if fault == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if fault == "leave":
        os._exit(3)
    if fault == "die_once":
        _die_once(spec, workspace)


def _die_once(spec: TrialSpec, workspace: Workspace) -> None:
    mark = workspace.cache / f"{spec.id}.died"
    if not mark.exists():
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def _checkpoint(spec: TrialSpec, workspace: Workspace) -> Path | None:
    return workspace.checkpoints / f"{spec.id}.pt" if workspace.checkpoints else None

"""The code that a worker runs around a trial, for every tuner."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Callable
from typing import Any

from harness.contract.errors import HarnessError
from harness.contract.loading.catalog import Catalog
from harness.contract.types import TrialResult, TrialSpec, Workspace
from harness.study.run.tuning import Events, RunTrial

RUN_TRIAL = "harness.trial.trial:run_trial"
CATALOG = "harness.contract.loading.catalog:Catalog.discover"


def load(path: str) -> Callable[..., Any]:
    """Return the object that `package.module:name.of.it` names."""
    module, _, name = path.partition(":")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found  # type: ignore[no-any-return]


def ready_for_another() -> bool:
    """Free the GPU memory of the previous trial; return False if its error made CUDA unusable here.

    A failed assertion in a kernel and an illegal address stay with the process, so that every later trial would fail.
    """
    torch: Any = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return True
    try:
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
    except RuntimeError:
        return False
    return True


def events(run: RunTrial, spec: TrialSpec, catalog: Catalog, workspace: Workspace) -> Events:
    """Yield the epochs of a trial and exactly one result; a bug in the trial fails this trial alone.

    Raises:
        MachineError: the machine failed, or other versions of the plugins are installed here.
        InputError: what the user wrote is wrong.
    """
    catalog.expect(spec.plugins)
    catalog.expect_code(spec.code)
    try:
        for event in run(spec, catalog, workspace):
            yield event
            if isinstance(event, TrialResult):
                return
    except HarnessError:
        raise
    except (Exception, SystemExit):  # the model of a plugin may call sys.exit
        yield TrialResult(state="failed", reason=catalog.masked(traceback.format_exc(limit=-8).strip()))
        return
    yield TrialResult(state="failed", reason="the trial ended without a result")

"""What a worker does around a trial, whichever tuner it works for."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Callable
from typing import Any

from harness.contract.catalog import Catalog
from harness.contract.errors import HarnessError
from harness.contract.types import TrialResult, TrialSpec, Workspace
from harness.study.run.tuning import Events, RunTrial

RUN_TRIAL = "harness.trial.trial:run_trial"
CATALOG = "harness.contract.catalog:Catalog.discover"


def load(path: str) -> Callable[..., Any]:
    """The object that `package.module:name.of.it` names."""
    module, _, name = path.partition(":")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found  # type: ignore[no-any-return]


def ready_for_another() -> bool:
    """Gives back the GPU memory that an earlier trial has left; False where its error made CUDA unusable here.

    An assertion in a kernel or an illegal address stays with the process: each trial that followed would fail,
    through no fault of its own.
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
    """The trial's epochs and exactly one result; a bug that escapes from it fails this trial alone.

    Raises:
        MachineError: the machine failed, or other versions of the plugins are installed here.
        InputError: what the user wrote is wrong.
    """
    catalog.expect(spec.plugins)
    try:
        for event in run(spec, catalog, workspace):
            yield event
            if isinstance(event, TrialResult):
                return
    except HarnessError:
        raise
    except (Exception, SystemExit):  # a stranger's model may call sys.exit
        yield TrialResult(state="failed", reason=traceback.format_exc(limit=-8).strip())
        return
    yield TrialResult(state="failed", reason="the trial ended without a result")

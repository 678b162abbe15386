"""Runs a scripted study in a process of its own: `python scripted_run.py FOLDER inline|ray CONCURRENT PLAN_JSON`.

It is tracked where `FOLDER/results/mlflow.db` exists.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from harness.adapters.optuna.search import OptunaSampler
from harness.config.settings import Settings
from harness.config.tracking import artifact_root, tracking_uri
from harness.contract.errors import HarnessError
from harness.study.run.run import run_study
from harness.testing.fakes import tiny_catalog
from harness.testing.scripted import CATALOG, RUN, scripted_plan


def main(folder: Path, kind: str, concurrent: int, arguments: str, time_limit_s: float | None) -> int:
    values = json.loads(arguments)
    plan = scripted_plan(**{**values, "seeds": tuple(values.get("seeds", (0, 1)))})
    settings = Settings(
        data=folder, results=folder / "results", cache=folder / "cache", device="cpu", concurrent=concurrent
    )
    if kind == "ray":
        from harness.adapters.ray.tuner import RayTuner

        tuner = RayTuner(RUN, CATALOG)
    else:
        from harness.adapters.inline import InlineTuner

        tuner = InlineTuner(RUN)
    sampler = OptunaSampler(f"sqlite:///{settings.results / plan.directory / 'optuna.db'}")
    observers = []
    if (settings.results / "mlflow.db").exists():
        from harness.adapters.mlflow.store import MlflowObserver, Sender

        study = settings.results / plan.directory
        observers.append(MlflowObserver(Sender(tracking_uri(settings), study, artifact_root(settings))))
    try:
        outcome = run_study(plan, settings, tiny_catalog(), tuner, sampler, observers, time_limit_s)
    except HarnessError as error:
        print(json.dumps({"exit_code": error.exit_code, "message": str(error)}))
        return error.exit_code
    print(json.dumps({"exit_code": outcome.exit_code, "message": outcome.message, "failed": outcome.failed}))
    return outcome.exit_code


if __name__ == "__main__":
    limit = float(sys.argv[5]) if len(sys.argv) > 5 else None
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4], limit))

"""The test AUC that a network trained at budget quick loses by predicting in bf16."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from harness.contract.loading.catalog import Catalog
from harness.contract.types import TrialResult, TrialSpec, Workspace


def auc_lost(folder: Path | None = None) -> float:
    """Return test AUC (mean over classes) in fp32 minus that in bf16, for the default baseline at seed 0.

    Args:
        folder: keeps the decoded images; None for a temporary folder.
    """
    with tempfile.TemporaryDirectory() as temporary:
        workspace = Workspace(data=Path(temporary), cache=folder or Path(temporary), threads=1)
        catalog = Catalog.discover()
        spec = _spec(catalog)
        weights = _train(spec, catalog, workspace)
        aucs = {amp: _test(spec, catalog, workspace, weights, amp) for amp in ("off", "bf16")}
    return aucs["off"] - aucs["bf16"]


def _spec(catalog: Catalog) -> TrialSpec:
    from harness.config.settings import load_settings
    from harness.study.file.spec import find_study, load_study
    from harness.study.plan.plan import make_plan
    from harness.testing.plans import default_trial

    plan = make_plan(load_study(find_study("gmic_ablation")), catalog, load_settings(), budget="quick")
    variant = next(variant for variant in plan.variants if variant.name == plan.baseline)
    return replace(default_trial(plan, variant), stage="confirm", metrics=("auroc",))


def _train(spec: TrialSpec, catalog: Catalog, workspace: Workspace) -> bytes:
    from harness.trial.trial import run_trial

    result = list(run_trial(spec, catalog, workspace))[-1]
    assert isinstance(result, TrialResult) and result.state == "complete", result
    return result.files["weights.safetensors"]


def _test(spec: TrialSpec, catalog: Catalog, workspace: Workspace, weights: bytes, amp: str) -> float:
    import torch
    from safetensors.torch import load

    from harness.metrics.registry import study_metrics
    from harness.trial.data.cache import Cache
    from harness.trial.data.loader import Loader
    from harness.trial.data.stage import ConfirmData, Ledger
    from harness.trial.model.evaluate import Scorer, predict, score
    from harness.trial.settings.training import TrainSettings

    dataset = catalog.build("dataset", spec.tree["dataset"], workspace.data)
    data = ConfirmData.of(Cache.ensure(dataset, workspace.cache), Ledger())
    model = catalog.build("architecture", spec.tree["model"], dataset.task)
    model.load_state_dict(load(weights))
    settings = TrainSettings.of({**spec.tree["train"], "amp": amp})
    device = torch.device("cpu")
    predictions = predict(model, Loader(data.test, dataset.task, settings, device), settings, device)
    scorer = Scorer(study_metrics(catalog, ["auroc"]), dataset.task, "test", masks=False)
    return score(predictions, scorer)["test/auroc"]

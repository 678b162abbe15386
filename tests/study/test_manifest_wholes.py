"""A user's own exams and bags run in the studies that come with the harness: planned without torch, and trained on."""

from __future__ import annotations

import importlib.util
import math
import subprocess
import sys
from pathlib import Path

import pytest

from harness import Epoch, Plan
from harness.contract.catalog import Catalog
from harness.contract.types import Workspace
from harness.study.plan import make_plan
from harness.study.settings import Settings
from harness.study.spec import load_study
from harness.testing.plans import default_trial
from harness.trial.trial import run_trial

ROOT = Path(__file__).parents[2]
_SPEC = importlib.util.spec_from_file_location("manifest_wholes", ROOT / "tests/plugins/manifest_wholes.py")
assert _SPEC is not None and _SPEC.loader is not None
wholes = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(wholes)

EXAMS = """dataset={use="manifest", path="set/table.csv", labels=["a", "b"], image_size=[64, 48],
    exam="patient_id", side="side", view="view", preprocess="mammogram"}"""
BAGS = 'dataset={use="manifest", path="set/table.csv", labels=["a", "b"], image_size=[28, 28], bag="slide"}'
STUDIES = {"dmv_cnn": (EXAMS, wholes.exam_rows), "mil_aggregators": (BAGS, wholes.bag_rows)}


def _plan(name: str, folder: Path, catalog: Catalog) -> Plan:
    dataset, rows = STUDIES[name]
    wholes.write(folder / "set", rows())
    settings = Settings(data=folder, results=folder / "results", cache=folder / "cache")
    overrides = (dataset.replace("\n", " "), "train.epochs=1")
    return make_plan(load_study(ROOT / "studies" / f"{name}.toml"), catalog, settings, overrides=overrides)


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_takes_the_users_own_table(
    name: str, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    plan = _plan(name, tmp_path, catalog)
    assert plan.skipped == ()
    assert plan.variants and all(variant.tree["dataset"]["use"] == "manifest" for variant in plan.variants)
    for variant in plan.variants:
        spec = default_trial(plan, variant)
        epoch = next(run_trial(spec, catalog, Workspace(data=tmp_path, cache=tmp_path / "cache", device="cpu")))
        assert isinstance(epoch, Epoch), (variant.name, epoch)
        assert math.isfinite(epoch.metrics["train/loss"]) and 0 <= epoch.metrics["val/auroc"] <= 1, variant.name


@pytest.mark.parametrize("name", STUDIES)
def test_the_plan_of_it_imports_no_torch(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset, rows = STUDIES[name]
    wholes.write(tmp_path / "set", rows())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path))
    given = [str(ROOT / "studies" / f"{name}.toml"), "--set", dataset.replace("\n", " ")]
    probe = (
        "import sys; from harness.cli.main import main\n"
        f"sys.argv = ['harness', 'study', 'plan', *{given!r}]\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "heavy = {'torch', 'ray', 'mlflow', 'optuna'} & set(sys.modules); assert not heavy, heavy"
    )
    ended = subprocess.run([sys.executable, "-c", probe], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert f"{name}, budget quick" in ended.stdout and "skipped" not in ended.stdout

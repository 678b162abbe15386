"""A user's own exams and bags run in the studies that come with the harness: planned without torch, and trained on."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from harness import Epoch, Plan
from harness.config.settings import Settings
from harness.contract.loading.catalog import Catalog
from harness.contract.types import Workspace
from harness.study.file.spec import load_study
from harness.study.plan.plan import make_plan
from harness.testing.plans import default_trial
from harness.trial.trial import run_trial
from tests.plugins.datasets.manifest import samples as wholes

ROOT = Path(__file__).parents[2]

EXAMS = """dataset={use="manifest", path="set/table.csv", labels=["a", "b"], image_size=[64, 48],
    exam="patient_id", side="side", view="view", preprocess="mammogram"}"""
BAGS = 'dataset={use="manifest", path="set/table.csv", labels=["a", "b"], image_size=[28, 28], bag="slide"}'
FEATURES = 'dataset={use="feature_bags", path="set/bags.csv", labels=["a", "b"], features=6}'


def _features(folder: Path) -> None:
    """Twelve bags of one to four vectors, in HDF5 and Parquet by turns."""
    folder.mkdir(parents=True)
    rows = []
    for bag in range(12):
        vectors = np.random.default_rng(bag).normal(size=(1 + bag % 4, 6)).astype(np.float32)
        if bag % 2:
            pd.DataFrame(vectors, columns=[f"f{number}" for number in range(6)]).to_parquet(folder / f"{bag}.parquet")
        else:
            with h5py.File(folder / f"{bag}.h5", "w") as file:
                file["features"] = vectors
        row = {"features": f"{bag}.parquet" if bag % 2 else f"{bag}.h5", "patient_id": f"p{bag // 2}"}
        rows.append(row | {"label_a": bag % 2, "label_b": bag // 2 % 2, "split": wholes.PARTS[bag // 4]})
    pd.DataFrame(rows).to_csv(folder / "bags.csv", index=False)


TABLES: dict[str, tuple[str, str, Callable[[Path], object]]] = {
    "exams": ("dmv_cnn", EXAMS, lambda folder: wholes.write(folder, wholes.exam_rows())),
    "bags": ("mil_aggregators", BAGS, lambda folder: wholes.write(folder, wholes.bag_rows())),
    "features": ("mil_aggregators", FEATURES, _features),
}
"""What a user has: the study it is for, how it is named, how it is written."""


def _plan(table: str, folder: Path, catalog: Catalog) -> Plan:
    study, dataset, write = TABLES[table]
    write(folder / "set")
    settings = Settings(data=folder, results=folder / "results", cache=folder / "cache")
    overrides = (dataset.replace("\n", " "), "train.epochs=1")
    path = ROOT / "studies" / f"{study}.toml"
    return make_plan(load_study(path), catalog, settings, budget="standard", overrides=overrides)


@pytest.mark.parametrize("table", TABLES)
def test_a_study_takes_the_users_own_table(
    table: str, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    plan = _plan(table, tmp_path, catalog)
    assert plan.skipped == ()
    assert plan.variants and all(variant.tree["dataset"]["use"] in TABLES[table][1] for variant in plan.variants)
    for variant in plan.variants:
        spec = default_trial(plan, variant)
        epoch = next(run_trial(spec, catalog, Workspace(data=tmp_path, cache=tmp_path / "cache", device="cpu")))
        assert isinstance(epoch, Epoch), (variant.name, epoch)
        assert math.isfinite(epoch.metrics["train/loss"]) and 0 <= epoch.metrics["val/auroc"] <= 1, variant.name


@pytest.mark.parametrize("table", TABLES)
def test_the_plan_of_it_imports_no_torch(table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, dataset, write = TABLES[table]
    write(tmp_path / "set")
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

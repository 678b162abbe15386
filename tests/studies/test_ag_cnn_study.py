"""The study of AG-CNN: its phases at the published length, and real images in the phantom's place by one `--set`."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from harness import Plan, Task
from harness.config.settings import Settings
from harness.contract.errors import Problems
from harness.contract.loading.catalog import Catalog
from harness.study.file.spec import load_study
from harness.study.plan.plan import make_plan

STUDY = load_study(Path(__file__).parents[2] / "studies" / "ag_cnn.toml")
REAL = 'dataset = { use = "manifest", path = "cxr/manifest.csv", labels = ["mass", "effusion"], image_size = [32, 32] }'


def _plan(budget: str, data: Path, catalog: Catalog, *overrides: str) -> Plan:
    settings = Settings(data=data, results=data / "results", cache=data / "cache")
    return make_plan(STUDY, catalog, settings, budget=budget, overrides=overrides)


def _write(folder: Path) -> None:
    """Two images a patient, two patients a split: one with both findings, one with none."""
    folder.mkdir()
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow("image patient_id label_mass label_effusion split".split())
        for number in range(12):
            Image.fromarray(np.full((40, 40), 20 * number, np.uint8)).save(folder / f"{number}.png")
            label = number // 2 % 2
            writer.writerow([f"{number}.png", f"p{number // 2}", label, label, ("train", "val", "test")[number // 4]])


def test_a_manifest_takes_the_phantoms_place_by_one_setting(catalog: Catalog, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    _write(tmp_path / "cxr")
    for budget in ("quick", "standard", "paper"):
        plan = _plan(budget, tmp_path, catalog, REAL)
        assert {variant.tree["dataset"]["use"] for variant in plan.variants} == {"manifest"}
        assert not plan.skipped


def test_the_paper_budget_trains_fifty_epochs_a_phase_as_published(catalog: Catalog, tmp_path: Path) -> None:
    plan = _plan("paper", tmp_path, catalog)
    tree = next(variant.tree for variant in plan.variants if variant.name == "ag_cnn")
    assert (tree["train"]["epochs"], tree["train"]["batch_size"], tree["train"]["lr"]) == (3 * 50, 126, 0.01)
    assert tree["train"]["schedule"] == {"use": "step", "every": 20, "factor": 0.1}
    assert tree["model"]["backbone"] == {"use": "timm", "model": "resnet50"}
    dense = next(variant.tree for variant in plan.variants if variant.name == "densenet121")
    assert (dense["model"]["backbone"]["model"], dense["train"]["batch_size"]) == ("densenet121", 64)


def test_three_phases_share_the_epochs_and_one_phase_has_them_all(catalog: Catalog) -> None:
    from harness.trial.fit.phases import spread

    def lengths(scheme: str) -> list[int | None]:
        problems = Problems("")
        table = {"use": "ag_cnn", "scheme": scheme, "backbone": {"use": "resnet22", "stride": 8, "width": 2}}
        made = catalog.factory("architecture", table, problems, "model")
        assert made is not None
        model = made(Task(classes=("a", "b"), image_size=(64, 64)))
        return [phase.epochs for phase in spread(model.phases(), 24)]

    assert (lengths("G_L_F"), lengths("GL_F"), lengths("G")) == ([8, 8, 8], [12, 12], [24])
